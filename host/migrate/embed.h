/* embed.h — a folder of migrations as a C header: what `rtctl embed` does
 *
 * `NNNN_name.sql` is for both dialects, `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql` for
 * one. Ends of lines become LF, so that a checkout on another system has the same checksums.
 */
#ifndef RT_MIGRATE_EMBED_H
#define RT_MIGRATE_EMBED_H

#include "base/arena.h"
#include "migrate/slice.h"

typedef struct rt_migration_folder {
    rt_migration *items; /* by number */
    size_t count;
    const char **files; /* paths that were read */
    size_t file_count;
} rt_migration_folder;

/* False if anything is wrong: a line for each problem. */
bool rt_migration_folder_read(rt_arena *arena, const char *path, rt_migration_folder *folder,
                              rt_buffer *problems);
/* The same bytes for the same migrations, wherever they lie. */
void rt_migration_folder_write(const rt_migration_folder *folder, rt_buffer *out);

#endif
