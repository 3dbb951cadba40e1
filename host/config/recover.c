/* Brackets, and how the parser goes on after a problem. */
#include "config/parse.h"

#include <string.h>

/* An included source is left at its end, unless a bracket that it opened is still open. */
static void settle(rt_parser *parser)
{
    rt_reader *reader = &parser->reader;
    while (parser->token.kind == RT_TOKEN_END && parser->token.source->includer &&
           parser->frame->open.source != parser->token.source) {
        rt_reader_leave(reader);
        rt_lex(reader, &parser->token);
    }
}

void rt_parser_next(rt_parser *parser)
{
    rt_lex(&parser->reader, &parser->token);
    settle(parser);
}

void rt_parser_push(rt_parser *parser, rt_frame *frame, rt_node *node, const rt_token *name)
{
    const rt_token *first = name ? name : &parser->token;
    *frame = (rt_frame){
        .outer = parser->frame,
        .node = node,
        .open = parser->token,
        .depth = parser->frame->depth + 1,
        .column = first->starts_line ? first->place.column : 0,
    };
    parser->frame = frame;
    rt_parser_next(parser);
}

void rt_parser_pop(rt_parser *parser)
{
    rt_frame *frame = parser->frame;
    parser->frame = frame->outer;
    if (!frame->outer->suspicion.place.line)
        frame->outer->suspicion = frame->suspicion;
    settle(parser);
}

static char closing(char opening)
{
    return opening == '{' ? '}' : opening == '[' ? ']' : ')';
}

static bool is_closed_by(const rt_frame *frame, const rt_token *token)
{
    return frame->outer && frame->open.source == token->source &&
           closing(frame->open.raw[0]) == token->raw[0];
}

static bool closes_outer(const rt_frame *frame, const rt_token *token)
{
    while ((frame = frame->outer))
        if (is_closed_by(frame, token))
            return true;
    return false;
}

bool rt_parser_at_own_close(const rt_parser *parser)
{
    return parser->token.kind == RT_TOKEN_CLOSE && is_closed_by(parser->frame, &parser->token);
}

static const char *bracket_text(rt_parser *parser, const rt_token *token)
{
    return rt_arena_copy_n(parser->reader.arena, token->raw, 1);
}

rt_diagnostic *rt_report_open(rt_parser *parser)
{
    const rt_frame *frame = parser->frame;
    const rt_suspicion *suspicion = &frame->suspicion;
    const char *open = bracket_text(parser, &frame->open);
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_BRACKET_OPEN, &frame->open.place, open);
    if (suspicion->place.line)
        rt_note(problem,
                "`%s` at %s:%u:%u is indented as if the `{` of line %u were closed before it",
                suspicion->name, suspicion->place.file, suspicion->place.line,
                suspicion->place.column, suspicion->bracket.line);
    rt_help(problem, "close it with `%c`", closing(frame->open.raw[0]));
    return problem;
}

static void report_mismatch(rt_parser *parser)
{
    const rt_frame *frame = parser->frame;
    const char *open = bracket_text(parser, &frame->open);
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_BRACKET_STRAY, &parser->token.place,
                   bracket_text(parser, &parser->token),
                   rt_arena_format(parser->reader.arena, "does not close `%s`", open));
    rt_label(problem, "expected `%c`", closing(open[0]));
    rt_note(problem, "`%s` was opened at %s:%u:%u", open, frame->open.place.file,
            frame->open.place.line, frame->open.place.column);
}

static void skip_stray(rt_parser *parser)
{
    rt_diagnostic *problem = RT_PROBLEM(&parser->reader, CONFIG_BRACKET_STRAY, &parser->token.place,
                                        bracket_text(parser, &parser->token), "closes nothing");
    rt_help(problem, "remove it, or open what it should close");
    rt_parser_next(parser);
    if (parser->token.kind == RT_TOKEN_SEMICOLON)
        rt_parser_next(parser);
}

bool rt_parser_close(rt_parser *parser)
{
    const rt_frame *frame = parser->frame;
    const rt_token *token = &parser->token;
    bool is_group = frame->node->type == RT_NODE_GROUP;
    bool on_line = frame->outer && frame->open.source == token->source &&
                   frame->open.place.line == token->place.line;
    if (!is_closed_by(frame, token)) {
        if (!on_line && closes_outer(frame, token)) {
            rt_diagnostic *problem = rt_report_open(parser);
            rt_note(problem, "the `%s` at %s:%u:%u closes what is around it",
                    bracket_text(parser, token), token->place.file, token->place.line,
                    token->place.column);
            return true;
        }
        if (!frame->outer || frame->open.source != token->source || (is_group && !on_line)) {
            skip_stray(parser);
            return false;
        }
        report_mismatch(parser);
    }
    rt_parser_next(parser);
    return true;
}

void rt_parser_suspect(rt_parser *parser, const rt_token *name)
{
    rt_frame *frame = parser->frame;
    if (!frame->outer || !frame->column || frame->suspicion.place.line || !name->starts_line ||
        name->source != frame->open.source || name->place.line == frame->open.place.line ||
        name->place.column > frame->column)
        return;
    if (!frame->node->first) {
        frame->column = 0; /* this file is not indented: columns tell nothing */
        return;
    }
    frame->suspicion = (rt_suspicion){
        .name = rt_excerpt(&parser->reader, name->raw, name->raw_length),
        .place = name->place,
        .bracket = frame->open.place,
    };
}

/* --- going on -------------------------------------------------------------------------------- */

bool rt_parser_at_setting(const rt_parser *parser)
{
    const rt_token *token = &parser->token;
    return token->kind == RT_TOKEN_NAME && token->starts_line && rt_lex_assigns(token);
}

void rt_parser_skip_brackets(rt_parser *parser)
{
    size_t depth = 0;
    do {
        if (parser->token.kind == RT_TOKEN_OPEN)
            depth++;
        else if (parser->token.kind == RT_TOKEN_CLOSE)
            depth--;
        rt_parser_next(parser);
    } while (depth && parser->token.kind != RT_TOKEN_END);
}

/* `[ "a, "b ];` and `{ a = "b };`: what closes the bracket ended up in the string. */
static bool swallowed_close(const rt_frame *frame, const rt_token *token)
{
    if (!token->is_open || !frame->outer || frame->open.source != token->source ||
        (frame->node->type == RT_NODE_GROUP && frame->open.place.line != token->place.line))
        return false;
    size_t length = token->raw_length;
    while (length && strchr(" \t\r;,", token->raw[length - 1]))
        length--;
    return length && token->raw[length - 1] == closing(frame->open.raw[0]);
}

void rt_parser_recover(rt_parser *parser)
{
    bool in_group = parser->frame->node->type == RT_NODE_GROUP;
    bool after_bad = parser->token.kind == RT_TOKEN_BAD;
    for (;;) {
        const rt_token *token = &parser->token;
        switch (token->kind) {
        case RT_TOKEN_END:
        case RT_TOKEN_CLOSE:
            return;
        case RT_TOKEN_COMMA:
        case RT_TOKEN_SEMICOLON:
            if (in_group)
                rt_parser_next(parser);
            return;
        case RT_TOKEN_OPEN:
            rt_parser_skip_brackets(parser);
            break;
        default:
            if (rt_parser_at_setting(parser) ||
                (in_group && !after_bad && token->kind == RT_TOKEN_NAME && token->starts_line))
                return;
            parser->frame->is_ended = swallowed_close(parser->frame, token);
            rt_parser_next(parser);
            if (parser->frame->is_ended)
                return;
        }
    }
}

bool rt_token_is_value(const rt_token *token)
{
    switch (token->kind) {
    case RT_TOKEN_OPEN:
    case RT_TOKEN_STRING:
    case RT_TOKEN_INT:
    case RT_TOKEN_FLOAT:
    case RT_TOKEN_BOOL:
        return true;
    default:
        return false;
    }
}

const char *rt_token_description(rt_reader *reader, const rt_token *token)
{
    if (token->kind == RT_TOKEN_END)
        return reader->label ? "nothing" : "the end of the file";
    if (token->kind == RT_TOKEN_STRING)
        return "a string";
    return rt_arena_format(reader->arena, "`%s`",
                           rt_excerpt_value(reader, token->raw, token->raw_length));
}
