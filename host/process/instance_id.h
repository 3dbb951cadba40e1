/* instance_id.h — OpenTelemetry's `service.instance.id` of this rtd */
#ifndef RT_PROCESS_INSTANCE_ID_H
#define RT_PROCESS_INSTANCE_ID_H

#define RT_INSTANCE_ID 37 /* bytes of a UUID and a NUL */

/* For a child of the supervisor. The same in all of them, and after an upgrade, which keeps the
 * process: a UUID made of what tells that process from all others. */
void rt_instance_id(char text[RT_INSTANCE_ID]);

#endif
