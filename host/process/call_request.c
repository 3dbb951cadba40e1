#include "process/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WORDS_MOST 16

/* True if the word is `name=NUMBER`; what is no number up to the most is said in `*wrong`. */
static bool take_number(const char *word, const char *name, uint64_t most, uint64_t *number,
                        bool *wrong)
{
    size_t length = strlen(name);
    char *end;
    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return false;
    const char *digits = word + length + 1;
    errno = 0;
    *number = strtoull(digits, &end, 10);
    *wrong |= *digits < '0' || *digits > '9' || *end || errno || *number > most;
    return true;
}

static const char *take_word(rt_call_request *request, const char *word)
{
    bool wrong = false;
    if (strcmp(word, "describe") == 0)
        request->describe = true;
    else if (strncmp(word, "instance=", 9) == 0)
        request->instance = word + 9;
    else if (take_number(word, "json", RT_FORM_JSON_MOST, &request->json, &wrong))
        request->has_json = true;
    else if (!take_number(word, "timeout", RT_CALL_TIMEOUT_MOST, &request->timeout, &wrong) &&
             !take_number(word, "worker", UINT32_MAX, &request->worker, &wrong))
        return "a call has no such word";
    return wrong ? "a number of the call is wrong" : NULL;
}

/* "email.send" */
static bool is_name(const char *word)
{
    const char *point = strrchr(word, '.');
    return point && point != word && point[1];
}

const char *rt_call_parse(rt_call_request *request, int count, char **words)
{
    *request = (rt_call_request){.timeout = RT_CALL_TIMEOUT};
    if (count < 2)
        return "a call needs the method, as in `email.send`";
    request->list = strcmp(words[1], "list") == 0;
    if (!request->list && !is_name(words[1]))
        return "a method is named as in `email.send`";
    if (!request->list)
        request->name = words[1];
    for (int i = 2; i < count; i++) {
        const char *problem = take_word(request, words[i]);
        if (problem)
            return problem;
    }
    return request->timeout ? NULL : "a call needs more time than none";
}

const char *rt_call_parse_line(rt_call_request *request, char *line)
{
    char *words[WORDS_MOST], *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, " ", &rest); word && count < WORDS_MOST;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return rt_call_parse(request, count, words);
}

int rt_call_status(int code)
{
    static const int statuses[] = {
        [RT_OK] = EX_OK,
        [RT_ECANCELED] = EX_TEMPFAIL,
        [RT_EUNKNOWN] = EX_SOFTWARE,
        [RT_EINVALID_ARGUMENT] = EX_DATAERR,
        [RT_EDEADLINE] = EX_TEMPFAIL,
        [RT_ENOT_FOUND] = EX_NOINPUT,
        [RT_EALREADY_EXISTS] = EX_CANTCREAT,
        [RT_EPERMISSION_DENIED] = EX_NOPERM,
        [RT_ERESOURCE_EXHAUSTED] = EX_TEMPFAIL,
        [RT_EFAILED_PRECONDITION] = EX_DATAERR,
        [RT_EABORTED] = EX_TEMPFAIL,
        [RT_EOUT_OF_RANGE] = EX_DATAERR,
        [RT_EUNIMPLEMENTED] = EX_UNAVAILABLE,
        [RT_EINTERNAL] = EX_SOFTWARE,
        [RT_EUNAVAILABLE] = EX_UNAVAILABLE,
        [RT_EDATA_LOSS] = EX_IOERR,
        [RT_EUNAUTHENTICATED] = EX_NOPERM,
    };
    bool known = code >= 0 && (size_t)code < sizeof statuses / sizeof statuses[0];
    return known ? statuses[code] : EX_SOFTWARE;
}
