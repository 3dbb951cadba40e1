#include "http/characters.h"

#define TEXT RT_TEXT_CHARACTER
#define VISIBLE (TEXT | RT_VISIBLE_CHARACTER)
#define QUERY (VISIBLE | RT_QUERY_CHARACTER)
#define PATH (QUERY | RT_PATH_CHARACTER)
#define TOKEN RT_TOKEN_CHARACTER
#define LETTER (PATH | TOKEN | RT_IDENTIFIER_CHARACTER)

const uint8_t rt_characters[256] = {
    ['\t'] = TEXT,
    [' '] = TEXT,
    ['!'] = PATH | TOKEN,
    ['"'] = VISIBLE,
    ['#'] = VISIBLE | TOKEN,
    ['$'] = PATH | TOKEN,
    ['%'] = VISIBLE | TOKEN,
    ['&'] = PATH | TOKEN,
    ['\''] = PATH | TOKEN,
    ['('] = PATH,
    [')'] = PATH,
    ['*'] = PATH | TOKEN,
    ['+'] = PATH | TOKEN,
    [','] = PATH,
    ['-'] = LETTER,
    ['.'] = LETTER,
    ['/'] = PATH,
    ['0' ... '9'] = LETTER | RT_DIGIT_CHARACTER | RT_HEX_CHARACTER,
    [':'] = PATH,
    [';'] = PATH,
    ['<'] = VISIBLE,
    ['='] = PATH,
    ['>'] = VISIBLE,
    ['?'] = QUERY,
    ['@'] = PATH,
    ['A' ... 'F'] = LETTER | RT_HEX_CHARACTER,
    ['G' ... 'Z'] = LETTER,
    ['['] = QUERY,
    ['\\'] = QUERY,
    [']'] = QUERY,
    ['^'] = QUERY | TOKEN,
    ['_'] = LETTER,
    ['`'] = QUERY | TOKEN,
    ['a' ... 'f'] = LETTER | RT_HEX_CHARACTER,
    ['g' ... 'z'] = LETTER,
    ['{'] = QUERY,
    ['|'] = QUERY | TOKEN,
    ['}'] = QUERY,
    ['~'] = PATH | TOKEN,
    [0x80 ... 0xff] = TEXT,
};
