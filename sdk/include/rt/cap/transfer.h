/* rt/cap/transfer.h — transfer/1: libcurl transfers on the worker's loop
 *
 * What providers that speak HTTP are built on. It owns the one multi handle of a worker, so that
 * all modules share its connections. The provider sets CURLOPT_PRIVATE, CURLOPT_NOSIGNAL and
 * CURLOPT_QUICK_EXIT.
 *
 * Ownership: the caller makes and frees the easy handle (libcurl, CURLOPT_… as its documentation
 * says). Callbacks of the handle run on the provider's fiber and must neither wait nor die.
 *
 * For HTTP. libcurl itself blocks, and so would hold up the whole worker, at the end of SMTP, FTP
 * and SFTP transfers; cancelled in the middle of an SMTP body it sends what it has as a whole mail.
 *
 * Waiting: perform waits until the transfer has ended, the deadline passed or the work was
 * cancelled; then the transfer is removed and its connection closed.
 * Errors: -RT_EDEADLINE, -RT_ECANCELED; 0 otherwise, with curl's CURLcode in `*code`.
 *
 *     CURL *easy = curl_easy_init();
 *     curl_easy_setopt(easy, CURLOPT_URL, "https://example.org/");
 *     int32_t code;
 *     int result = rt_transfer_perform(ctx, transfer, easy, &code);
 */
#ifndef RT_CAP_TRANSFER_H
#define RT_CAP_TRANSFER_H

#include <rt/capability.h>

#define RT_TRANSFER_METHODS(M) M(transfer, perform, RT_WAITS, (void *, easy), (int32_t *, code))
#define RT_METHODS_transfer RT_METHOD_NAMES(RT_TRANSFER_METHODS)

RT_CAPABILITY(transfer, 1, RT_TRANSFER_METHODS)

#endif
