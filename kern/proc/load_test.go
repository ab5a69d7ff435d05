package proc

import "testing"

func TestLoad(t *testing.T) {
	const one, period = 1 << LoadShift, loadPeriod
	var l load
	// Two threads for a minute, in samples: 1 - 1/e of it.
	for i := range int64(12) {
		l.stepLocked((i+1)*period, 2)
	}
	if got := l.avg[0]; got < one*125/100 || got > one*128/100 {
		t.Errorf("%d/%d after a minute", got, one)
	}
	// The same at once.
	var once load
	once.stepLocked(12*period, 2)
	for i := range l.avg {
		if d := int64(once.avg[i]) - int64(l.avg[i]); d < -20 || d > 20 {
			t.Errorf("average %d: %d in one step, %d in twelve", i, once.avg[i], l.avg[i])
		}
	}
	l.stepLocked(12*period+period/4, 100)
	if l.at != 12*period {
		t.Error("a part of a period counted")
	}
	// Nothing is left after a long time, and all is reached.
	l.stepLocked(1<<60, 0)
	if l.avg != [3]uint64{} {
		t.Errorf("%v left", l.avg)
	}
	for i := range int64(3000) {
		l.stepLocked(1<<60+(i+1)*period, 3)
	}
	if l.avg != [3]uint64{3 * one, 3 * one, 3 * one} {
		t.Errorf("%v, want 3", l.avg)
	}
}
