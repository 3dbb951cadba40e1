#include "outbox.h"

#include <stdlib.h>
#include <string.h>

/* The memory of one entry: goes as a whole. */
struct block {
    struct block *next;
    max_align_t bytes[];
};

struct kept {
    int code;
    const char *id;
    rt_email message;
    struct block *blocks;
};

struct rt_outbox {
    uint32_t capacity;
    uint64_t recorded; /* ever; entry n lies at n % capacity */
    uint64_t first;    /* the oldest one kept */
    struct kept *ring;
};

/* --- deep copies ----------------------------------------------------------------------------- */

/* Copies into the memory of a context, or, without one, into blocks. */
struct copier {
    rt_ctx *ctx;
    struct block *blocks;
    bool failed;
};

static void *copy_bytes(struct copier *copier, const void *bytes, uint64_t length)
{
    void *copy;
    if (!bytes || copier->failed)
        return NULL;
    if (copier->ctx) {
        copy = rt_alloc(copier->ctx, length);
    } else {
        struct block *block = malloc(sizeof *block + length);
        copier->failed = !block;
        if (!block)
            return NULL;
        block->next = copier->blocks;
        copier->blocks = block;
        copy = block->bytes;
    }
    return memcpy(copy, bytes, length);
}

static const char *copy_text(struct copier *copier, const char *text)
{
    return copy_bytes(copier, text, text ? strlen(text) + 1 : 0);
}

static const char *const *copy_texts(struct copier *copier, const char *const *texts,
                                     uint32_t count)
{
    const char **copy = copy_bytes(copier, texts, count * sizeof *texts);
    for (uint32_t i = 0; copy && i < count; i++)
        copy[i] = copy_text(copier, texts[i]);
    return copy;
}

static const rt_email_pair *copy_pairs(struct copier *copier, const rt_email_pair *pairs,
                                       uint32_t count)
{
    rt_email_pair *copy = copy_bytes(copier, pairs, count * sizeof *pairs);
    for (uint32_t i = 0; copy && i < count; i++)
        copy[i] =
            (rt_email_pair){copy_text(copier, pairs[i].name), copy_text(copier, pairs[i].value)};
    return copy;
}

static const rt_email_attachment *copy_attachments(struct copier *copier,
                                                   const rt_email_attachment *attachments,
                                                   uint32_t count)
{
    rt_email_attachment *copy = copy_bytes(copier, attachments, count * sizeof *attachments);
    for (uint32_t i = 0; copy && i < count; i++) {
        copy[i].filename = copy_text(copier, attachments[i].filename);
        copy[i].content_type = copy_text(copier, attachments[i].content_type);
        copy[i].data = copy_bytes(copier, attachments[i].data, attachments[i].length);
    }
    return copy;
}

/* `email` is of this plugin's own size: rt_mail_prepare made it so. */
static void copy_email(struct copier *copier, rt_email *copy, const rt_email *email)
{
    *copy = *email;
    copy->from = copy_text(copier, email->from);
    copy->reply_to = copy_text(copier, email->reply_to);
    copy->subject = copy_text(copier, email->subject);
    copy->html = copy_text(copier, email->html);
    copy->text = copy_text(copier, email->text);
    copy->to = copy_texts(copier, email->to, email->to_count);
    copy->cc = copy_texts(copier, email->cc, email->cc_count);
    copy->bcc = copy_texts(copier, email->bcc, email->bcc_count);
    copy->tags = copy_texts(copier, email->tags, email->tag_count);
    copy->headers = copy_pairs(copier, email->headers, email->header_count);
    copy->metadata = copy_pairs(copier, email->metadata, email->metadata_count);
    copy->attachments = copy_attachments(copier, email->attachments, email->attachment_count);
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

/* --- the list -------------------------------------------------------------------------------- */

rt_outbox *rt_outbox_open(uint32_t capacity)
{
    rt_outbox *outbox = calloc(1, sizeof *outbox);
    struct kept *ring = calloc(capacity, sizeof *ring);
    if (!outbox || !ring) {
        free(outbox);
        free(ring);
        return NULL;
    }
    outbox->capacity = capacity;
    outbox->ring = ring;
    return outbox;
}

void rt_outbox_empty(rt_outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->capacity; i++) {
        free_blocks(outbox->ring[i].blocks);
        outbox->ring[i] = (struct kept){0};
    }
    outbox->first = outbox->recorded;
}

void rt_outbox_close(rt_outbox *outbox)
{
    rt_outbox_empty(outbox);
    free(outbox->ring);
    free(outbox);
}

int rt_outbox_record(rt_ctx *ctx, rt_outbox *outbox, const rt_email *message, const char *id,
                     int code)
{
    struct copier copier = {0};
    struct kept kept = {.code = code};
    copy_email(&copier, &kept.message, message);
    kept.id = copy_text(&copier, id);
    kept.blocks = copier.blocks;
    if (copier.failed) {
        free_blocks(copier.blocks);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to keep a mail");
    }
    struct kept *place = &outbox->ring[outbox->recorded++ % outbox->capacity];
    free_blocks(place->blocks);
    *place = kept;
    if (outbox->recorded - outbox->first > outbox->capacity)
        outbox->first++;
    return 0;
}

uint64_t rt_outbox_length(const rt_outbox *outbox)
{
    return outbox->recorded - outbox->first;
}

int rt_outbox_read(rt_ctx *ctx, const rt_outbox *outbox, uint64_t index, rt_outbox_entry *entry)
{
    struct copier copier = {.ctx = ctx};
    if (!entry || !RT_HAS(entry, message))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the outbox entry has no `size`");
    if (index >= rt_outbox_length(outbox))
        return rt_fail(ctx, RT_ENOT_FOUND, "the outbox has no entry %llu",
                       (unsigned long long)index);
    const struct kept *kept = &outbox->ring[(outbox->recorded - 1 - index) % outbox->capacity];
    rt_email *message = rt_alloc(ctx, sizeof *message);
    copy_email(&copier, message, &kept->message);
    rt_struct_copy(entry, &(rt_outbox_entry){.size = sizeof *entry,
                                             .code = kept->code,
                                             .id = copy_text(&copier, kept->id),
                                             .message = message});
    return 0;
}
