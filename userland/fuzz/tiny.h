/* tiny.h is the program that execfuzz changes and runs: a program without a C library, with
 * text, data and memory to be zeroed. It ends with status 42. */

static char zero[9000];
static volatile int number = 42;

__attribute__((noreturn)) void end(int status);

__attribute__((used)) void start(void)
{
	for (unsigned i = 0; i < sizeof zero; i++)
		if (((volatile char *)zero)[i] != 0)
			end(1);
	end(number);
}

__asm__(
	".globl _start\n"
	"_start: and $-16, %rsp\n"
	"call start\n"
	"end: mov $231, %eax\n"
	"syscall\n"
	"ud2\n");
