/* Repositories beside a model of them, on SQLite in memory */
#include "repository_kit.h"
#include "repository_model.h"

struct trial {
    const rt_table *table;
    uint64_t seed;
};

static int run_model(rt_ctx *ctx, void *argument)
{
    const struct trial *trial = argument;
    const char *complaint = rt_model_run(ctx, sql, trial->table, trial->seed, 400);
    if (complaint)
        fprintf(stderr, "%s\n", complaint);
    CU_ASSERT_PTR_NULL(complaint);
    return 0;
}

static void run_seeds(const rt_table *table)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        on_base(RT_MODEL_SCHEMA, run_model, &(struct trial){table, seed});
}

static void a_table_that_marks_does_what_its_model_does(void)
{
    run_seeds(&marked_table);
}

static void a_table_that_moves_does_what_its_model_does(void)
{
    run_seeds(&moved_table);
}

RT_TEST_MAIN("repository model",
             {"a table that marks does what its model does",
              a_table_that_marks_does_what_its_model_does},
             {"a table that moves does what its model does",
              a_table_that_moves_does_what_its_model_does}, )
