/* Declares what sounds like a secret as plain text. */
#include <rt/rt.h>

RT_MODULE("careless", "1.0.0", "Takes a secret as if it were none")
RT_SERVES(routes)
RT_OPTION(string, api_token, , "Shown to the service")
RT_OPTION(string, token_name, RT_NOT_SECRET, "What the token is called")
RT_OPTION(group, account, RT_FIELD(string, pass_phrase, , "Of the account"), "An account")

RT_REGISTER(registry)
{
    (void)registry;
    return 0;
}
