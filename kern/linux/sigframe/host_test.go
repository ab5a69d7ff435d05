package sigframe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mult/arch"
	"mult/kern/proc"
)

// offsets prints where the C library's headers have what this package and
// package proc write, and what a handler sees on the Linux that it runs on.
const offsets = `
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

#define SHOW(name, value) printf("%s=%ld\n", name, (long)(value))

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	struct _libc_fpstate now;
	long flags;
	__asm__ volatile("fxsave64 %0; pushfq; popq %1" : "=m"(now), "=r"(flags) :: "memory");
	uintptr_t fpu = (uintptr_t)uc->uc_mcontext.fpregs;
	SHOW("host info", (char *)info - (char *)uc);
	SHOW("host frame", ((uintptr_t)uc - 8) % 16);
	SHOW("host fpu align", fpu % 64);
	SHOW("host fpu after", fpu >= (uintptr_t)uc + 8 + 424);
	SHOW("host flags", uc->uc_flags & 6);
	SHOW("host cs", uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff);
	SHOW("host ss", uc->uc_mcontext.gregs[REG_CSGSFS] >> 48 & 0xffff);
	SHOW("host red zone", uc->uc_mcontext.gregs[REG_RSP] - (long)fpu >= 128 + 512);
	SHOW("host mxcsr", now.mxcsr);
	SHOW("host df", flags >> 10 & 1);
}

int main(void)
{
	SHOW("ucontext", offsetof(ucontext_t, uc_sigmask) + 8);
	SHOW("flags", offsetof(ucontext_t, uc_flags));
	SHOW("link", offsetof(ucontext_t, uc_link));
	SHOW("stack sp", offsetof(ucontext_t, uc_stack.ss_sp));
	SHOW("stack flags", offsetof(ucontext_t, uc_stack.ss_flags));
	SHOW("stack size", offsetof(ucontext_t, uc_stack.ss_size));
	SHOW("r8", offsetof(ucontext_t, uc_mcontext.gregs[REG_R8]));
	SHOW("rdi", offsetof(ucontext_t, uc_mcontext.gregs[REG_RDI]));
	SHOW("rax", offsetof(ucontext_t, uc_mcontext.gregs[REG_RAX]));
	SHOW("rsp", offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]));
	SHOW("rip", offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]));
	SHOW("efl", offsetof(ucontext_t, uc_mcontext.gregs[REG_EFL]));
	SHOW("segments", offsetof(ucontext_t, uc_mcontext.gregs[REG_CSGSFS]));
	SHOW("err", offsetof(ucontext_t, uc_mcontext.gregs[REG_ERR]));
	SHOW("trapno", offsetof(ucontext_t, uc_mcontext.gregs[REG_TRAPNO]));
	SHOW("oldmask", offsetof(ucontext_t, uc_mcontext.gregs[REG_OLDMASK]));
	SHOW("cr2", offsetof(ucontext_t, uc_mcontext.gregs[REG_CR2]));
	SHOW("fpregs", offsetof(ucontext_t, uc_mcontext.fpregs));
	SHOW("sigmask", offsetof(ucontext_t, uc_sigmask));

	SHOW("fpstate", sizeof(struct _libc_fpstate));
	SHOW("fpu control", offsetof(struct _libc_fpstate, cwd));
	SHOW("fpu mxcsr", offsetof(struct _libc_fpstate, mxcsr));

	SHOW("siginfo", sizeof(siginfo_t));
	SHOW("errno", offsetof(siginfo_t, si_errno));
	SHOW("code", offsetof(siginfo_t, si_code));
	SHOW("pid", offsetof(siginfo_t, si_pid));
	SHOW("uid", offsetof(siginfo_t, si_uid));
	SHOW("status", offsetof(siginfo_t, si_status));
	SHOW("utime", offsetof(siginfo_t, si_utime));
	SHOW("stime", offsetof(siginfo_t, si_stime));
	SHOW("value", offsetof(siginfo_t, si_value));
	SHOW("timerid", offsetof(siginfo_t, si_timerid));
	SHOW("overrun", offsetof(siginfo_t, si_overrun));
	SHOW("addr", offsetof(siginfo_t, si_addr));
	SHOW("band", offsetof(siginfo_t, si_band));
	SHOW("fd", offsetof(siginfo_t, si_fd));

	SHOW("SA_SIGINFO", SA_SIGINFO);
	SHOW("SA_ONSTACK", SA_ONSTACK);
	SHOW("SA_NODEFER", SA_NODEFER);
	SHOW("SS_ONSTACK", SS_ONSTACK);
	SHOW("SS_DISABLE", SS_DISABLE);

	struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &a, 0);
	unsigned other = 0x9f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(other));
	raise(SIGUSR1);
	unsigned after;
	__asm__ volatile("stmxcsr %0" : "=m"(after));
	SHOW("host mxcsr after", after);
}
`

func TestHost(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc")
	}
	dir := t.TempDir()
	src, prog := filepath.Join(dir, "a.c"), filepath.Join(dir, "a")
	if err := os.WriteFile(src, []byte(offsets), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-O1", "-o", prog, src).CombinedOutput(); err != nil {
		t.Skipf("gcc: %v\n%s", err, out)
	}
	out, err := exec.Command(prog).Output()
	if err != nil {
		t.Fatal(err)
	}
	const uc = ucontextOff
	want := map[string]int{
		"ucontext": infoOff - uc, "flags": uFlags - uc, "link": 8,
		"stack sp": uStackSP - uc, "stack flags": uStackFlags - uc, "stack size": uStackSize - uc,
		"r8": uContext - uc, "rdi": uContext - uc + 8*8, "rax": uContext - uc + 13*8, "rsp": uContext - uc + 15*8,
		"rip": uContext - uc + 16*8, "efl": uContext - uc + 17*8, "segments": scSegments - uc,
		"err": scErr - uc, "trapno": scTrap - uc, "oldmask": scMask - uc, "cr2": scAddr - uc, "fpregs": scFPU - uc,
		"sigmask": uMask - uc,
		"fpstate": smallFPU, "fpu control": arch.FPUControl, "fpu mxcsr": arch.FPUMXCSR,
		"siginfo": frameSize - infoOff, "errno": 4, "code": 8, "pid": 16, "uid": 20, "status": 24, "utime": 32, "stime": 40,
		"value": 24, "timerid": 16, "overrun": 20, "addr": 16, "band": 16, "fd": 24,
		"SA_SIGINFO": proc.SA_SIGINFO, "SA_ONSTACK": proc.SA_ONSTACK, "SA_NODEFER": proc.SA_NODEFER,
		"SS_ONSTACK": proc.SS_ONSTACK, "SS_DISABLE": proc.SS_DISABLE,
		"host info": infoOff - uc, "host frame": 8, "host fpu align": 0, "host fpu after": 1,
		"host flags": ucSigcontextSS | ucStrictSS, "host cs": userCS, "host ss": userSS, "host red zone": 1,
		"host mxcsr": 0x1f80, "host df": 0, "host mxcsr after": 0x9f80,
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		w, ok := want[name]
		if got := value; !ok || got != fmt.Sprint(w) {
			t.Errorf("%s is %s here, %d in this package", name, got, w)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("nothing told about %s", name)
	}
}
