/* Holds the functions of memory.c to the plainest ones, on all short lengths, offsets and overlaps, and to their bounds. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Under their own names a compiler may put in its own; through these it must call them. */
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
int bcmp(const void *, const void *, size_t);
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
static int (*volatile differ)(const void *, const void *, size_t) = bcmp;

enum { PAGE = 4096, ROOM = 1024 };

static void fail(const char *what, size_t n, size_t from, size_t to)
{
	printf("%s of %zu bytes from %zu to %zu is wrong\n", what, n, from, to);
	exit(1);
}

/* A page with none before it and none behind it: what reaches out of it ends the program. */
static unsigned char *page(void)
{
	unsigned char *at = mmap(0, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE))
		abort();
	return at + PAGE;
}

static void fill(volatile unsigned char *at, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (unsigned char)(i * 31 + (i >> 8) + salt);
}

static void same(const char *what, const volatile unsigned char *found, const volatile unsigned char *expected, size_t n,
		 size_t from, size_t to)
{
	for (size_t i = 0; i < ROOM; i++)
		if (found[i] != expected[i])
			fail(what, n, from, to);
}

static void moves(size_t n, size_t from, size_t to)
{
	static volatile unsigned char found[ROOM], expected[ROOM];
	fill(found, ROOM, (unsigned)n);
	fill(expected, ROOM, (unsigned)n);
	for (size_t i = 0; i < n; i++)
		expected[to + (from < to ? n - 1 - i : i)] = expected[from + (from < to ? n - 1 - i : i)];
	if (move((void *)(found + to), (void *)(found + from), n) != (void *)(found + to))
		fail("the answer of memmove", n, from, to);
	same("memmove", found, expected, n, from, to);
}

static int sign(int of) { return (of > 0) - (of < 0); }

int main(void)
{
	unsigned char *a = page(), *b = page();

	/* Every distance of two places that overlap, and both sides of it. */
	for (size_t n = 0; n <= 300; n++) {
		for (size_t distance = 0; distance <= n + 1; distance++) {
			moves(n, distance % 17, distance % 17 + distance);
			moves(n, distance % 17 + distance, distance % 17);
		}
	}
	for (size_t n = 0; n <= 700; n++) {
		static volatile unsigned char expected[ROOM];
		for (size_t skew = 0; skew < 16; skew++) {
			/* Up to the first and the last byte of a page. */
			unsigned char *ends[] = {a, a + PAGE - n}, *others[] = {b + skew, b + PAGE - n - skew};
			for (int end = 0; end < 2; end++) {
				unsigned char *from = ends[end], *to = others[end];
				fill(from, n, (unsigned)skew * 37);
				fill(b, PAGE, 7);
				if (copy(to, from, n) != to)
					fail("the answer of memcpy", n, 0, skew);
				for (size_t i = 0; i < PAGE; i++) {
					size_t at = (size_t)(b + i - to);
					unsigned char there = (unsigned char)(i * 31 + (i >> 8) + 7);
					if (b[i] != (b + i >= to && at < n ? from[at] : there))
						fail("memcpy", n, 0, skew);
				}
				if (compare(from, to, n) || differ(from, to, n))
					fail("memcmp of the same", n, 0, skew);
				/* The first that differs decides, whatever comes after it, and as a byte without a sign. */
				for (size_t i = 0; i < n; i += n < 140 ? 1 : 13) {
					unsigned char was = to[i], last = to[n - 1];
					to[n - 1] = (unsigned char)(last + 1);
					to[i] = was ^ 0x80;
					int expect = was > to[i] ? 1 : -1;
					if (sign(compare(from, to, n)) != expect || sign(compare(to, from, n)) != -expect)
						fail("memcmp", n, i, skew);
					if (!differ(from, to, n))
						fail("bcmp", n, i, skew);
					to[n - 1] = last;
					to[i] = was;
				}
			}
			fill(expected, ROOM, 3);
			static volatile unsigned char found[ROOM];
			fill(found, ROOM, 3);
			for (size_t i = 0; i < n; i++)
				expected[skew + i] = (unsigned char)(n + 129);
			/* Only the lowest byte of the number counts. */
			if (set((void *)(found + skew), (int)(0xabcd00 + ((n + 129) & 255)), n) != (void *)(found + skew))
				fail("the answer of memset", n, skew, skew);
			same("memset", found, expected, n, skew, skew);
			set(a + PAGE - n, 1, n);
			set(a, 1, n);
		}
	}
	/* Sizes beyond what is tried one by one, both ways. */
	for (size_t n = 1000; n < PAGE - 100; n += 37) {
		fill(a, PAGE, 9);
		copy(b, a, PAGE);
		move(a + 33, a, n);
		for (size_t i = 0; i < n; i++)
			if (a[33 + i] != b[i])
				fail("memmove", n, 0, 33);
		fill(a, PAGE, 9);
		move(a, a + 33, n);
		for (size_t i = 0; i < n; i++)
			if (a[i] != b[33 + i])
				fail("memmove", n, 33, 0);
	}
	puts("all as they should be");
	return 0;
}
