package linux

import (
	"testing"

	"mult/arch"
	"mult/inst/insttest"
	"mult/kern/proc"
)

// TestCallAllocatesNothing wants a call to make no garbage by itself.
func TestCallAllocatesNothing(t *testing.T) {
	sys := &proc.System{}
	in := insttest.New(t, "test", proc.Member(sys))
	th, err := proc.Boot(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, args := &Kernel{Proc: sys}, new(Args)
	const getppid = 110
	allocs := testing.AllocsPerRun(100, func() {
		th.EnterUser()
		now := th.Now()
		th.Ctx.Entered, th.Ctx.Left = now, now
		th.LeaveUser()
		th.Ctx.Trap, th.Ctx.AX = arch.TrapSyscall, getppid
		if !k.syscall(th, args) || th.Ctx.AX != 0 {
			t.Fatal("the call failed")
		}
	})
	if allocs != 0 {
		t.Errorf("a call allocates %v times", allocs)
	}
}
