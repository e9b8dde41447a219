/* Python's ChallengeResponseTest, and the part of OtherTest that is about challenges. */
#include "parity.h"

#include "wire/handshake.h"

#include <mp/connection.h>
#include <mp/object.h>
#include <mp/timeout.h>
#include <string.h>

#define AUTHKEY "supadupasecretkey"

struct two_ends {
    mp_connection *here, *there;
};

static struct two_ends open_ends(void)
{
    struct two_ends ends;
    assert_mp_result(mp_pipe(&ends.here, &ends.there, true), 0);
    return ends;
}

static void close_ends(struct two_ends *ends)
{
    mp_connection_destroy(ends->here);
    mp_connection_destroy(ends->there);
}

static void say(mp_connection *c, const char *text)
{
    assert_mp_result(mp_connection_send_bytes(c, text, strlen(text)), 0);
}

/* ---- ChallengeResponseTest -------------------------------------------------------------------- */

static int answer(void *arg)
{
    return mp_answer_challenge(arg, AUTHKEY, strlen(AUTHKEY));
}

/* The answer that Python's _create_response gives: the prefix, then these bytes. */
static void check_response(const char *prefix, const char *hex)
{
    struct two_ends ends = open_ends();
    struct target_thread thread;
    char challenge[64], got[64], text[65] = "";
    size_t n, at = strlen(prefix);
    snprintf(challenge, sizeof challenge, "#CHALLENGE#%sis-twenty-bytes-long", prefix);
    start_thread(&thread, answer, ends.there);
    say(ends.here, challenge);
    assert_mp_result(mp_connection_recv_bytes_into(ends.here, got, sizeof got, &n), 0);
    check(n == at + strlen(hex) / 2 && memcmp(got, prefix, at) == 0);
    for (size_t i = at; i < n; i++)
        snprintf(text + 2 * (i - at), 3, "%02x", (unsigned char)got[i]);
    check(strcmp(text, hex) == 0);
    say(ends.here, "#WELCOME#");
    finish_thread(&thread);
    close_ends(&ends);
}

struct verifying {
    mp_connection *c;
    const char *prefix;
    enum mp__digest digest;
};

/* Answers a challenge by the digest, as a Python would that likes this one. */
static int respond(void *arg)
{
    const struct verifying *v = arg;
    unsigned char challenge[256], response[64];
    size_t n, at = strlen(v->prefix);
    assert_mp_result(mp_connection_recv_bytes_into(v->c, challenge, sizeof challenge, &n), 0);
    memcpy(response, v->prefix, at);
    at += mp__hmac(v->digest, AUTHKEY, strlen(AUTHKEY), challenge + 11, n - 11, response + at);
    assert_mp_result(mp_connection_send_bytes(v->c, response, at), 0);
    assert_mp_result(mp_connection_recv_bytes_into(v->c, challenge, sizeof challenge, &n), 0);
    check(n == 9 && memcmp(challenge, "#WELCOME#", 9) == 0);
    return 0;
}

static void check_verified(const char *prefix, enum mp__digest digest)
{
    struct two_ends ends = open_ends();
    struct verifying v = {ends.there, prefix, digest};
    struct target_thread thread;
    start_thread(&thread, respond, &v);
    assert_mp_result(mp_deliver_challenge(ends.here, AUTHKEY, strlen(AUTHKEY)), 0);
    finish_thread(&thread);
    close_ends(&ends);
}

static void test_challengeresponse(void **state)
{
    (void)state;
    check_response("", "f08c5aa7ef61fc426b5b135fd8a223ae");
    check_response("{md5}", "2b30be753d06dcff0a1db3c97c96e7eb");
    check_response("{sha256}", "0ed2bf5258efb96604b831848a9212d31f7468b3fc6fc61af1ebe84f08349e47");
    check_verified("", MP__MD5);
    check_verified("{md5}", MP__MD5);
    check_verified("{sha256}", MP__SHA256);
}

/* ---- OtherTest -------------------------------------------------------------------------------- */

static void test_deliver_challenge_auth_failure(void **state)
{
    (void)state;
    struct two_ends ends = open_ends();
    say(ends.there, "something bogus");
    assert_mp_error(mp_deliver_challenge(ends.here, "abc", 3), MP_EAUTH);
    close_ends(&ends);
}

static void test_answer_challenge_auth_failure(void **state)
{
    (void)state;
    static const char *const challenges[] = {"#CHALLENGE#", "#CHALLENGE#is-twenty-bytes-long"};
    for (size_t i = 0; i < 2; i++) {
        struct two_ends ends = open_ends();
        say(ends.there, challenges[i]);
        say(ends.there, "something bogus");
        assert_mp_error(mp_answer_challenge(ends.here, "abc", 3), MP_EAUTH);
        close_ends(&ends);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("ChallengeResponseTest.test_challengeresponse: all forms are answered alike",
                     test_challengeresponse),
        support_test("OtherTest.test_deliver_challenge_auth_failure: a bogus digest",
                     test_deliver_challenge_auth_failure),
        support_test("OtherTest.test_answer_challenge_auth_failure: a bogus challenge, no welcome",
                     test_answer_challenge_auth_failure),
    };
    return support_run("ChallengeResponseTest", tests);
}
