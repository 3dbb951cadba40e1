#include "fiber/fiber.h"
#include "http/http.h"
#include "http/json_read.h"

int rt_host_json_parse(rt_ctx *ctx, const char *text, uint64_t length, const rt_json_value **value)
{
    *value = NULL;
    const char *wrong =
        length ? rt_json_read(rt_unit_arena(ctx), text, length, value) : "there is no value";
    if (!wrong)
        return 0;
    int64_t place = rt_json_wrong_byte(text, length);
    if (place >= 0)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the JSON is not valid at byte %lld: %s",
                            (long long)place, wrong);
    return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the JSON is not valid: %s", wrong);
}
