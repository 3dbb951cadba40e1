/* top_view.h — two samples as lines of text, as many and as wide as there is room for */
#ifndef RT_RTCTL_TOP_VIEW_H
#define RT_RTCTL_TOP_VIEW_H

#include "base/buffer.h"
#include "rtctl/top_sample.h"

#include <stdbool.h>

typedef struct rt_top_size {
    int columns, rows; /* 0: as many as it takes */
    bool colour;
} rt_top_size;

/* `before` and `now` may be one sample: then rates are not known yet. */
void rt_top_draw(rt_top_sample *before, rt_top_sample *now, const rt_top_size *size,
                 rt_buffer *out);

#endif
