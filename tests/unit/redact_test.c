/* Secrets in text, however they are written there. */
#include "harness.h"

#include "base/redact.h"

#include <stdlib.h>
#include <string.h>

static rt_buffer text;

static const char *redacted(const char *before)
{
    text.length = 0;
    rt_buffer_text(&text, before);
    rt_redact(&text);
    return text.data;
}

static void without_secrets_nothing_changes(void)
{
    CU_ASSERT_STRING_EQUAL(redacted("password=correct-horse"), "password=correct-horse");
    CU_ASSERT_STRING_EQUAL(redacted(""), "");
}

static void a_secret_becomes_stars_wherever_it_stands(void)
{
    rt_redact_add("correct-horse");
    CU_ASSERT_STRING_EQUAL(redacted("correct-horse"), "***");
    CU_ASSERT_STRING_EQUAL(redacted("correct-horsecorrect-horse."), "******.");
    CU_ASSERT_STRING_EQUAL(redacted("a correct-horse b correct-horse"), "a *** b ***");
    CU_ASSERT_STRING_EQUAL(redacted("correct-hors"), "correct-hors");
    CU_ASSERT_STRING_EQUAL(redacted("correct-horscorrect-horse"), "correct-hors***");
    CU_ASSERT_STRING_EQUAL(redacted("Correct-horse"), "Correct-horse");
    rt_redact_forget();
    CU_ASSERT_STRING_EQUAL(redacted("correct-horse"), "correct-horse");
}

static void what_stands_before_is_left_alone(void)
{
    rt_redact_add("correct-horse");
    text.length = 0;
    rt_buffer_text(&text, "correct-horse correct-horse");
    rt_redact_from(&text, 1);
    CU_ASSERT_STRING_EQUAL(text.data, "correct-horse ***");
    CU_ASSERT_EQUAL(text.length, strlen(text.data));
    rt_redact_from(&text, text.length);
    rt_redact_from(&text, text.length + 5);
    CU_ASSERT_STRING_EQUAL(text.data, "correct-horse ***");
    rt_redact_forget();
}

static void short_secrets_are_not_looked_for(void)
{
    rt_redact_add("1234567");
    rt_redact_add("");
    rt_redact_add(NULL);
    CU_ASSERT_STRING_EQUAL(redacted("1234567"), "1234567");
    rt_redact_add("12345678");
    CU_ASSERT_STRING_EQUAL(redacted("0123456789"), "0***9");
    rt_redact_forget();
}

static void of_two_secrets_the_longer_one_goes(void)
{
    rt_redact_add("swordfish");
    rt_redact_add("swordfish-2026");
    rt_redact_add("swordfish");
    CU_ASSERT_STRING_EQUAL(redacted("swordfish-2026 swordfish-2025"), "*** ***-2025");
    rt_redact_forget();
}

static void written_otherwise_it_is_the_same_secret(void)
{
    rt_redact_add("he said \"p@ss/w\xc3\xb6rd\"");
    CU_ASSERT_STRING_EQUAL(redacted("{\"m\":\"he said \\\"p@ss/w\xc3\xb6rd\\\"\"}"),
                           "{\"m\":\"***\"}");
    CU_ASSERT_STRING_EQUAL(redacted("?p=he%20said%20%22p%40ss%2Fw%C3%B6rd%22&q"), "?p=***&q");
    CU_ASSERT_STRING_EQUAL(redacted("?p=he+said+%22p%40ss%2fw%c3%b6rd%22&q"), "?p=***&q");
    rt_redact_forget();
}

/* base64 of "ann:Swordfish-2026", "bob::Swordfish-2026" and "Swordfish-2026": the same secret at
 * each place of a group. What depends on its neighbours stays. */
static void inside_base64_too(void)
{
    rt_redact_add("Swordfish-2026");
    CU_ASSERT_PTR_NOT_NULL(strstr(redacted("Basic YW5uOlN3b3JkZmlzaC0yMDI2"), "YW5uOlN3***"));
    CU_ASSERT_PTR_NOT_NULL(strstr(redacted("Basic Ym9iOjpTd29yZGZpc2gtMjAyNg=="), "***"));
    CU_ASSERT_PTR_NULL(strstr(text.data, "d29yZGZpc2g"));
    CU_ASSERT_STRING_EQUAL(redacted("U3dvcmRmaXNoLTIwMjY="), "***MjY=");
    rt_redact_forget();
}

static void each_line_of_a_key_is_a_secret(void)
{
    rt_redact_add("-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG\nshort\n9w0BAQEFAASCBKgwggSk\n"
                  "-----END PRIVATE KEY-----\n");
    CU_ASSERT_STRING_EQUAL(redacted("MIIEvgIBADANBgkqhkiG\\n9w0BAQEFAASCBKgwggSk"), "***\\n***");
    CU_ASSERT_STRING_EQUAL(redacted("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
    rt_redact_forget();
}

/* --- against the obvious way ----------------------------------------------------------------- */

enum { SECRETS = 5, LONGEST = 14 };
static char secrets[SECRETS][LONGEST + 1];

static size_t secret_at(const char *at)
{
    size_t longest = 0;
    for (int i = 0; i < SECRETS; i++) {
        size_t length = strlen(secrets[i]);
        if (length > longest && strncmp(at, secrets[i], length) == 0)
            longest = length;
    }
    return longest;
}

static void replace_simply(const char *before, rt_buffer *after)
{
    after->length = 0;
    rt_buffer_text(after, "");
    while (*before) {
        size_t found = secret_at(before);
        rt_buffer_add(after, found ? "***" : before, found ? 3 : 1);
        before += found ? found : 1;
    }
}

static void random_text(char *out, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = "ab"[rand() % 2];
    out[length] = '\0';
}

/* Of two letters, so that parts of secrets stand everywhere; too few for base64 to match. */
static void it_finds_what_a_simple_search_finds(void)
{
    char before[101];
    rt_buffer expected = {0};
    unsigned differences = 0;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < SECRETS; i++) {
            random_text(secrets[i], RT_REDACT_LEAST + (size_t)(rand() % 7));
            rt_redact_add(secrets[i]);
        }
        random_text(before, (size_t)(rand() % 101));
        replace_simply(before, &expected);
        differences += strcmp(redacted(before), expected.data) != 0;
        rt_redact_forget();
    }
    CU_ASSERT_EQUAL(differences, 0);
    rt_buffer_free(&expected);
    rt_buffer_free(&text);
}

RT_TEST_MAIN("redact", {"without secrets nothing changes", without_secrets_nothing_changes},
             {"a secret becomes stars wherever it stands",
              a_secret_becomes_stars_wherever_it_stands},
             {"what stands before is left alone", what_stands_before_is_left_alone},
             {"short secrets are not looked for", short_secrets_are_not_looked_for},
             {"of two secrets the longer one goes", of_two_secrets_the_longer_one_goes},
             {"written otherwise it is the same secret", written_otherwise_it_is_the_same_secret},
             {"inside base64 too", inside_base64_too},
             {"each line of a key is a secret", each_line_of_a_key_is_a_secret},
             {"it finds what a simple search finds", it_finds_what_a_simple_search_finds})
