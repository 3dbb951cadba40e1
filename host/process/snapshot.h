/* snapshot.h — a private copy of every plugin file of the plan, made before anything is loaded
 *
 * Overwriting a loaded plugin in place kills the process, and what lies on disk later is not what
 * was judged. So the supervisor copies each file once into a folder of its own (0700, not on a
 * noexec mount), checks that the bytes it copies are those that composition judged, and workers
 * load the copies, respawned ones too. The folder is locked, flock(2), as long as the supervisor
 * lives: what a killed one left can be told from what is in use.
 */
#ifndef RT_PROCESS_SNAPSHOT_H
#define RT_PROCESS_SNAPSHOT_H

#include "compose/compose.h"

#define RT_SNAPSHOT_FOLDER_MODE 0700
#define RT_SNAPSHOT_FILE_MODE 0500
/* Where workers become another user. */
#define RT_SNAPSHOT_FOLDER_MODE_GROUP 0710
#define RT_SNAPSHOT_FILE_MODE_GROUP 0550

typedef struct rt_snapshot {
    rt_arena *arena;
    const char *folder; /* NULL: none was made */
    int lock;           /* the folder, open; -1: it cannot be locked */
    const char **files;
    size_t file_count;
} rt_snapshot;

/* Removes what killed ones of the same user left in the same place, then makes the copies and
 * sets `snapshot` of each instance. 0; EX_CONFIG after a diagnostic was added to `diagnostics`;
 * EX_OSERR with the reason in `*error`. What was made is removed by rt_snapshot_remove in any case.
 */
int rt_snapshot_make(rt_snapshot *snapshot, rt_arena *arena, const rt_composition *composition,
                     rt_diagnostics *diagnostics, const char **error);
void rt_snapshot_remove(rt_snapshot *snapshot);

/* leftover.c: removes the folders of copies in `parent` whose rtd is gone. */
void rt_snapshot_sweep(const char *parent);

#endif
