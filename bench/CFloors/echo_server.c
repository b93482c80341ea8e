/* The libuv side of the echo floor. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "CFloors.h"

enum { READ_BYTES = 64 * 1024, BACKLOG = 16 };

struct echo_server {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_poll_t stop;
    char read_buffer[READ_BYTES]; /* shared by all connections: its bytes are written or copied before the next read */
};

/* What the socket would not take at once. */
struct echo_rest {
    uv_write_t request;
    char bytes[];
};

static void free_handle(uv_handle_t *handle) { free(handle); }

static void close_handle(uv_handle_t *handle, void *server) {
    if (uv_is_closing(handle)) return;
    struct echo_server *owner = server;
    int embedded = handle == (uv_handle_t *)&owner->listener || handle == (uv_handle_t *)&owner->stop;
    uv_close(handle, embedded ? NULL : free_handle);
}

static void rest_written(uv_write_t *request, int status) {
    if (status < 0) close_handle((uv_handle_t *)request->handle, request->handle->loop->data);
    free(request);
}

static int write_rest(uv_stream_t *stream, const char *bytes, size_t count) {
    struct echo_rest *rest = malloc(sizeof *rest + count);
    if (!rest) return UV_ENOMEM;
    memcpy(rest->bytes, bytes, count);
    uv_buf_t buffer = uv_buf_init(rest->bytes, (unsigned)count);
    int status = uv_write(&rest->request, stream, &buffer, 1, rest_written);
    if (status < 0) free(rest);
    return status;
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    struct echo_server *server = handle->loop->data;
    *buffer = uv_buf_init(server->read_buffer, READ_BYTES);
}

static void echo(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    int status = 0;
    if (count > 0) {
        uv_buf_t out = uv_buf_init(buffer->base, (unsigned)count);
        int written = uv_try_write(stream, &out, 1);
        if (written == UV_EAGAIN) written = 0;
        if (written < 0) {
            status = written;
        } else if (written < count) {
            status = write_rest(stream, buffer->base + written, (size_t)(count - written));
        }
    }
    if (count < 0 || status < 0) close_handle((uv_handle_t *)stream, stream->loop->data);
}

static void accept_connection(uv_stream_t *listener, int status) {
    if (status < 0) return;
    uv_tcp_t *connection = malloc(sizeof *connection);
    if (!connection) return;
    if (uv_tcp_init(listener->loop, connection) < 0) {
        free(connection);
        return;
    }
    status = uv_accept(listener, (uv_stream_t *)connection);
    if (!status) status = uv_tcp_nodelay(connection, 1);
    if (!status) status = uv_read_start((uv_stream_t *)connection, give_buffer, echo);
    if (status < 0) close_handle((uv_handle_t *)connection, listener->loop->data);
}

static void stop_serving(uv_poll_t *stop, int status, int events) {
    (void)status, (void)events;
    uv_walk(stop->loop, close_handle, stop->loop->data);
}

static int listen_anywhere(struct echo_server *server) {
    struct sockaddr_in address;
    int status = uv_ip4_addr("127.0.0.1", 0, &address);
    if (!status) status = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    if (!status) status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, accept_connection);
    return status;
}

static int report_port(struct echo_server *server, int report_fd) {
    struct sockaddr_in address;
    int length = sizeof address;
    int status = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length);
    if (status < 0) return status;
    char line[16];
    int count = snprintf(line, sizeof line, "%u\n", (unsigned)ntohs(address.sin_port));
    ssize_t written;
    do {
        written = write(report_fd, line, (size_t)count);
    } while (written < 0 && errno == EINTR);
    return written == count ? 0 : UV_EIO;
}

int floors_echo_serve(int report_fd, int stop_fd) {
    struct echo_server *server = calloc(1, sizeof *server);
    if (!server) return UV_ENOMEM;
    int status = uv_loop_init(&server->loop);
    if (status < 0) {
        free(server);
        return status;
    }
    server->loop.data = server;
    signal(SIGPIPE, SIG_IGN); /* libuv writes with write(2); a client that left is an error of its connection */
    status = uv_tcp_init(&server->loop, &server->listener);
    if (!status) status = uv_poll_init(&server->loop, &server->stop, stop_fd);
    if (!status) status = uv_poll_start(&server->stop, UV_READABLE | UV_DISCONNECT, stop_serving);
    if (!status) status = listen_anywhere(server);
    if (!status) status = report_port(server, report_fd);
    if (status < 0) uv_walk(&server->loop, close_handle, server);
    uv_run(&server->loop, UV_RUN_DEFAULT); /* until every handle is closed */
    uv_loop_close(&server->loop);
    free(server);
    return status;
}
