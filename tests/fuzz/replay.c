/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without libFuzzer: replay the corpus, CORPUS/<target>/ with the target from the program's name.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	const char *corpus = getenv("CORPUS"), *target = strrchr(argv[0], '-');
	static uint8_t buf[1 << 20];
	char path[4096];
	struct dirent *e;
	int n = 0;
	DIR *d;

	if (argc != 1 || !corpus || !target) {
		fprintf(stderr, "usage: CORPUS=DIR fuzz-TARGET\n");
		return 64;
	}
	snprintf(path, sizeof(path), "%s/%s", corpus, target + 1);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		ssize_t len = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

		if (len >= 0) {
			/* A copy of its own size, so that a sanitizer sees one byte too far. */
			uint8_t *copy = malloc((size_t)len + !len);

			memcpy(copy, buf, (size_t)len);
			LLVMFuzzerTestOneInput(copy, (size_t)len);
			free(copy);
			n++;
		}
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
	printf("%d inputs of %s\n", n, path);
	/* An empty corpus would pass everything. */
	return n < 3;
}
