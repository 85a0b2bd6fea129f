/*
 * memcpy, memmove, memset, memcmp and bcmp for the static binary on x86-64.
 *
 * musl has them in as few bytes as possible: its memcpy copies with `rep movsq`, which takes some thirty cycles before the
 * first byte, and its memcmp goes byte by byte. A Job is read and printed in over a hundred copies, mostly of a few bytes
 * each, so a plan spent a seventh of its time there. These use the registers of SSE2, which every x86-64 has.
 *
 * What is short is loaded from both ends before any of it is stored: then one branch serves a range of lengths, and it
 * does not matter whether the two places overlap. tests/release tries all lengths and overlaps.
 */
#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t __attribute__((may_alias, aligned(1))) u16;
typedef uint32_t __attribute__((may_alias, aligned(1))) u32;
typedef uint64_t __attribute__((may_alias, aligned(1))) u64;
typedef struct { __m128i part[4]; } v64;

static inline __m128i load16(const char *at) { return _mm_loadu_si128((const __m128i *)at); }
static inline void store16(char *at, __m128i value) { _mm_storeu_si128((__m128i *)at, value); }

static inline v64 load64(const char *at)
{
	return (v64){{load16(at), load16(at + 16), load16(at + 32), load16(at + 48)}};
}

static inline void store64(char *at, v64 value)
{
	/* Written out: as a loop it stays one, and its values go through the stack. */
	store16(at, value.part[0]);
	store16(at + 16, value.part[1]);
	store16(at + 32, value.part[2]);
	store16(at + 48, value.part[3]);
}

/* Copies n bytes, of which there are SIZE to 2 * SIZE. */
#define BOTH_ENDS(TYPE, LOAD, STORE, SIZE) \
	do { \
		TYPE first = LOAD(s), last = LOAD(s + n - SIZE); \
		STORE(d, first); \
		STORE(d + n - SIZE, last); \
	} while (0)
#define LOAD8(at) (*(const u64 *)(at))
#define LOAD4(at) (*(const u32 *)(at))
#define LOAD2(at) (*(const u16 *)(at))
#define STORE8(at, value) (*(u64 *)(at) = (value))
#define STORE4(at, value) (*(u32 *)(at) = (value))
#define STORE2(at, value) (*(u16 *)(at) = (value))

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (n <= 16) {
		if (n >= 8)
			BOTH_ENDS(uint64_t, LOAD8, STORE8, 8);
		else if (n >= 4)
			BOTH_ENDS(uint32_t, LOAD4, STORE4, 4);
		else if (n >= 2)
			BOTH_ENDS(uint16_t, LOAD2, STORE2, 2);
		else if (n)
			*d = *s;
	} else if (n <= 32) {
		BOTH_ENDS(__m128i, load16, store16, 16);
	} else if (n <= 64) {
		__m128i second = load16(s + 16), last_but_one = load16(s + n - 32);
		BOTH_ENDS(__m128i, load16, store16, 16);
		store16(d + 16, second);
		store16(d + n - 32, last_but_one);
	} else if (n <= 128) {
		BOTH_ENDS(v64, load64, store64, 64);
	} else if ((uintptr_t)d - (uintptr_t)s >= n) {
		/* Forwards: the destination begins before the source, or after its end. */
		v64 last = load64(s + n - 64);
		for (size_t at = 0; at < n - 64; at += 64)
			store64(d + at, load64(s + at));
		store64(d + n - 64, last);
	} else {
		v64 first = load64(s);
		for (size_t at = n; at > 64;) {
			at -= 64;
			store64(d + at, load64(s + at));
		}
		store64(d, first);
	}
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) __attribute__((alias("memmove")));

void *memset(void *to, int byte, size_t n)
{
	char *d = to;
	uint64_t word = (unsigned char)byte * 0x0101010101010101;

	if (n >= 16) {
		__m128i value = _mm_set1_epi64x((long long)word);
		for (size_t at = 0; at < n - 16; at += 16)
			store16(d + at, value);
		store16(d + n - 16, value);
	} else if (n >= 8) {
		STORE8(d, word);
		STORE8(d + n - 8, word);
	} else if (n >= 4) {
		STORE4(d, (uint32_t)word);
		STORE4(d + n - 4, (uint32_t)word);
	} else if (n) {
		d[0] = d[n / 2] = d[n - 1] = (char)byte;
	}
	return to;
}

int memcmp(const void *one, const void *two, size_t n)
{
	const char *a = one, *b = two;
	size_t at = 0;

	if (n >= 16) {
		for (;;) {
			__m128i equal = _mm_cmpeq_epi8(load16(a + at), load16(b + at));
			unsigned differ = (unsigned)_mm_movemask_epi8(equal) ^ 0xffff;
			if (differ) {
				at += (size_t)__builtin_ctz(differ);
				return (unsigned char)a[at] - (unsigned char)b[at];
			}
			if (at == n - 16)
				return 0;
			at = at + 16 < n - 16 ? at + 16 : n - 16;
		}
	}
	if (n >= 8) {
		/* The first byte is the most significant one. */
		uint64_t x = __builtin_bswap64(LOAD8(a)), y = __builtin_bswap64(LOAD8(b));
		if (x == y) {
			x = __builtin_bswap64(LOAD8(a + n - 8));
			y = __builtin_bswap64(LOAD8(b + n - 8));
		}
		return (x > y) - (x < y);
	}
	if (n >= 4) {
		uint32_t x = __builtin_bswap32(LOAD4(a)), y = __builtin_bswap32(LOAD4(b));
		if (x == y) {
			x = __builtin_bswap32(LOAD4(a + n - 4));
			y = __builtin_bswap32(LOAD4(b + n - 4));
		}
		return (x > y) - (x < y);
	}
	for (; at < n; at++) {
		if (a[at] != b[at])
			return (unsigned char)a[at] - (unsigned char)b[at];
	}
	return 0;
}

int bcmp(const void *one, const void *two, size_t n) __attribute__((alias("memcmp")));
