/* The blocking side of the echo floor. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CFloors.h"
#include "clock.h"

enum { BYTES_MAX = 65536 };

static int connect_to(int descriptor, const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) return EINVAL;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address)) return errno;
    int on = 1;
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) return errno;
    return 0;
}

static int send_all(int descriptor, const char *bytes, size_t count) {
    while (count) {
        ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

static int receive_all(int descriptor, char *bytes, size_t count) {
    while (count) {
        ssize_t received = recv(descriptor, bytes, count, 0);
        if (received < 0 && errno == EINTR) continue;
        if (received < 0) return errno;
        if (received == 0) return ECONNRESET;
        bytes += received;
        count -= (size_t)received;
    }
    return 0;
}

static int round_trips(int descriptor, size_t bytes, size_t rounds, uint64_t *nanoseconds_out) {
    static const char sent[BYTES_MAX];
    char received[BYTES_MAX];
    for (size_t round = 0; round < rounds; round++) {
        uint64_t start = clock_now();
        int error = send_all(descriptor, sent, bytes);
        if (!error) error = receive_all(descriptor, received, bytes);
        if (error) return error;
        if (nanoseconds_out) nanoseconds_out[round] = clock_now() - start;
    }
    return 0;
}

int floors_echo_measure(const char *host, int port, size_t bytes, size_t rounds, uint64_t *nanoseconds_out) {
    if (bytes == 0 || bytes > BYTES_MAX) return EINVAL;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return errno;
    int error = connect_to(descriptor, host, port);
    if (!error) error = round_trips(descriptor, bytes, rounds / 10, NULL);
    if (!error) error = round_trips(descriptor, bytes, rounds, nanoseconds_out);
    close(descriptor);
    return error;
}
