package sigframe

import (
	"testing"

	"mult/kern/errno"
	"mult/kern/proc"
)

func TestPlace(t *testing.T) {
	s := newSpace(t)
	full := proc.AltStack{SP: altLow, Size: altTop - altLow}
	auto := full
	auto.Flags = proc.SS_AUTODISARM
	small := proc.AltStack{SP: altLow, Size: 1000}
	for _, tt := range []struct {
		name    string
		sp      uint64
		onStack bool // SA_ONSTACK
		alt     proc.AltStack
		low, hi uint64 // the frame is inside; 0 means that it fails
		after   proc.AltStack
	}{
		{"no alternate stack", stackTop, true, proc.AltStack{Flags: proc.SS_DISABLE}, stackLow, stackTop - 128, proc.AltStack{Flags: proc.SS_DISABLE}},
		{"not wanted", stackTop, false, full, stackLow, stackTop - 128, full},
		{"entered", stackTop, true, full, altTop - MinStack(true), altTop, full},
		{"nested", altTop - 0x1000, true, full, altLow, altTop - 0x1000 - 128, full},
		{"nested without the flag", altTop - 0x1000, false, full, altLow, altTop - 0x1000 - 128, full},
		{"at its top", altTop, true, full, altTop - MinStack(true) - 128, altTop - 128, full},
		{"runs over", altLow + 500, true, full, 0, 0, full},
		{"runs over without the flag", altLow + 1000, false, full, 0, 0, full},
		{"too small", stackTop, true, small, 0, 0, small},
		{"too small, not wanted", stackTop, false, small, stackLow, stackTop - 128, small},
		{"disarmed", stackTop, true, auto, altTop - MinStack(true), altTop, proc.AltStack{Flags: proc.SS_DISABLE}},
		{"disarmed though not wanted", stackTop, false, auto, stackLow, stackTop - 128, proc.AltStack{Flags: proc.SS_DISABLE}},
		{"never nested", altTop - 0x1000, true, auto, altTop - MinStack(true), altTop, proc.AltStack{Flags: proc.SS_DISABLE}},
		{"wraps", stackTop, true, proc.AltStack{SP: ^uint64(0) - 4095, Size: 8192}, 0, 0, proc.AltStack{SP: ^uint64(0) - 4095, Size: 8192}},
	} {
		c, d := newContext(), usr1()
		c.SP = tt.sp
		if tt.onStack {
			d.Action.Flags |= proc.SA_ONSTACK
		}
		d.alt = tt.alt
		after, err := d.deliver(s, c)
		if after != tt.after {
			t.Errorf("%s: then the alternate stack is %+v", tt.name, after)
		}
		if tt.low == 0 {
			if err != errno.EFAULT || c.SP != tt.sp {
				t.Errorf("%s: %v, stack pointer %#x", tt.name, err, c.SP)
			}
			continue
		}
		if err != nil || c.SP < tt.low || c.SP+uint64(maxSize) > tt.hi {
			t.Errorf("%s: %v, frame at %#x, want it from %#x to %#x", tt.name, err, c.SP, tt.low, tt.hi)
			continue
		}
		c.SP += 8
		if _, alt, err := Return(s, c, true); alt != tt.alt || err != nil || c.SP != tt.sp {
			t.Errorf("%s: back with %+v, %v, stack pointer %#x", tt.name, alt, err, c.SP)
		}
	}
}

func TestAltStack(t *testing.T) {
	none := proc.AltStack{Flags: proc.SS_DISABLE}
	set := proc.AltStack{SP: 0x10000, Size: 0x2000}
	auto := proc.AltStack{SP: 0x10000, Size: 0x2000, Flags: proc.SS_AUTODISARM}
	for _, tt := range []struct {
		name      string
		old, want proc.AltStack
		sp        uint64
		then      proc.AltStack
		err       error
	}{
		{"first", none, set, 0x50000, set, nil},
		{"as small as may be", none, proc.AltStack{SP: 1, Size: 2048}, 0x50000, proc.AltStack{SP: 1, Size: 2048}, nil},
		{"too small", none, proc.AltStack{SP: 1, Size: 2047}, 0x50000, none, errno.ENOMEM},
		{"bad flags", none, proc.AltStack{SP: 1, Size: 4096, Flags: 4}, 0x50000, none, errno.EINVAL},
		{"two modes", none, proc.AltStack{SP: 1, Size: 4096, Flags: 3}, 0x50000, none, errno.EINVAL},
		{"SS_ONSTACK", none, proc.AltStack{SP: 1, Size: 4096, Flags: 1}, 0x50000, proc.AltStack{SP: 1, Size: 4096, Flags: 1}, nil},
		{"off", set, proc.AltStack{SP: 5, Size: 6, Flags: proc.SS_DISABLE}, 0x50000, none, nil},
		{"while in use", set, none, 0x11000, set, errno.EPERM},
		{"at its top", set, none, 0x12000, set, errno.EPERM},
		{"at its bottom", set, none, 0x10000, none, nil},
		{"SS_AUTODISARM", set, auto, 0x50000, auto, nil},
		{"in use with SS_AUTODISARM", auto, set, 0x11000, set, nil},
		{"unchanged", proc.AltStack{}, proc.AltStack{}, 0x50000, proc.AltStack{}, nil},
	} {
		then, err := ChangeAltStack(tt.old, tt.want, tt.sp)
		if then != tt.then || err != tt.err {
			t.Errorf("%s: %+v, %v, want %+v, %v", tt.name, then, err, tt.then, tt.err)
		}
	}
	for _, tt := range []struct {
		alt  proc.AltStack
		sp   uint64
		want uint32
	}{
		{none, 0x50000, proc.SS_DISABLE},
		{proc.AltStack{}, 0, proc.SS_DISABLE},
		{set, 0x50000, 0},
		{set, 0x11000, proc.SS_ONSTACK},
		{auto, 0x50000, proc.SS_AUTODISARM},
		{auto, 0x11000, proc.SS_AUTODISARM},
		{proc.AltStack{SP: 0x10000, Size: 0x2000, Flags: 1}, 0x50000, 0},
	} {
		if got := ShowAltStack(tt.alt, tt.sp); got.Flags != tt.want || got.SP != tt.alt.SP || got.Size != tt.alt.Size {
			t.Errorf("%+v with stack pointer %#x shows as %+v, want flags %#x", tt.alt, tt.sp, got, tt.want)
		}
	}
}
