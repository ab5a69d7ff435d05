package calls

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// headers are where distributions keep the numbers of x86-64.
var headers = []string{
	"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
	"/usr/include/asm/unistd_64.h",
}

// TestHeader compares the table with the header of the host's C library,
// which may be older than the table.
func TestHeader(t *testing.T) {
	var text []byte
	for _, name := range headers {
		if b, err := os.ReadFile(name); err == nil {
			text = b
		}
	}
	if text == nil {
		t.Skip("no asm/unistd_64.h: linux-libc-dev is not installed")
	}
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^#define __NR_(\w+)\s+(\d+)$`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[2])
		found++
		if n < NumCalls && Name(uint64(n)) != m[1] {
			t.Errorf("call %d is %q, the header says %q", n, Name(uint64(n)), m[1])
		}
	}
	if found < 300 {
		t.Errorf("found only %d calls in the header", found)
	}
}

// TestNumbers holds where nothing else is to compare with.
func TestNumbers(t *testing.T) {
	if len(rows) != NumCalls {
		t.Fatalf("the table ends with number %d, want %d", len(rows)-1, NumCalls-1)
	}
	for n, name := range map[uint64]string{
		0: "read", 15: "rt_sigreturn", 59: "execve", 231: "exit_group", 334: "rseq", 337: "", 423: "",
		424: "pidfd_send_signal", 451: "cachestat", 452: "fchmodat2", 462: "mseal",
		463: "", 1 << 32: "", math.MaxUint64: "",
	} {
		if got := Name(n); got != name {
			t.Errorf("Name(%d) = %q, want %q", n, got, name)
		}
		if c, ok := Lookup(n); ok != (name != "") || c.Name != name {
			t.Errorf("Lookup(%d) = %q, %v, want %q", n, c.Name, ok, name)
		}
	}
}

func TestRows(t *testing.T) {
	names := map[string]bool{}
	last, total := -1, 0
	for n, c := range All() {
		total++
		if n <= last {
			t.Errorf("%s: number %d comes after %d", c.Name, n, last)
		}
		last = n
		if names[c.Name] {
			t.Errorf("%s occurs twice", c.Name)
		}
		names[c.Name] = true
		args := map[string]bool{}
		for i, a := range c.Args {
			if (a.Name == "") != (a.Kind == None) || i >= c.NumArgs() && a.Kind != None {
				t.Errorf("%s: argument %d is incomplete", c.Name, i)
			}
			if a.Name != "" && args[a.Name] {
				t.Errorf("%s: two arguments are called %q", c.Name, a.Name)
			}
			args[a.Name] = true
			if a.Kind.String() == "?" {
				t.Errorf("%s: argument %d is of no kind", c.Name, i)
			}
		}
	}
	if total != 376 {
		t.Errorf("the table has %d calls", total)
	}
}

func TestSignature(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "read(fd, buf, count)", 39: "getpid()",
		202: "futex(uaddr, op, val, timeout, uaddr2, val3)",
	} {
		c, _ := Lookup(n)
		if got := c.Signature(); got != want {
			t.Errorf("call %d is %q, want %q", n, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	got := Markdown(func(n uint64) (State, string) {
		switch n {
		case 0:
			return Complete, ""
		case 16:
			return Partial, "requests of block devices"
		}
		return Absent, ""
	})
	for _, want := range []string{
		"# System calls\n",
		"1 are complete, 1 partial, 374 absent.",
		"| 0 | `read(fd, buf, count)` | complete |  |\n",
		"| 16 | `ioctl(fd, request, arg)` | partial | requests of block devices |\n",
		"| 39 | `getpid()` | absent |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
}
