package measure

import (
	"errors"
	"strconv"
	"time"

	"mult/qemu"
)

// tries is how often ReadClock asks. The best answer is the one that took the
// shortest time, and that is hardly ever the first.
const tries = 40

// Stamp is a reading of a guest's clocks at a known time of the host.
type Stamp struct {
	Host  time.Time     // half-way between asking and the answer
	Width time.Duration // from asking to the answer: Host is off by half of it at most
	Guest time.Duration // what the guest's monotonic clock said
	Wall  time.Time     // what it took for the time of day
}

// ReadClock asks a guest that runs selftest=clock for its clocks and returns
// the best of some stamps.
func ReadClock(vm *qemu.VM, timeout time.Duration) (Stamp, error) {
	var best Stamp
	for i := range tries {
		before := time.Now()
		if err := vm.Send("\n"); err != nil {
			return Stamp{}, err
		}
		m, err := vm.Expect(`now (\d+) (\d+)\n`, timeout)
		if err != nil {
			return Stamp{}, err
		}
		width := time.Since(before)
		if i > 0 && width >= best.Width {
			continue
		}
		mono, err1 := strconv.ParseInt(m[1], 10, 64)
		wall, err2 := strconv.ParseInt(m[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return Stamp{}, err
		}
		best = Stamp{before.Add(width / 2), width, time.Duration(mono), time.Unix(0, wall)}
	}
	return best, nil
}

// Drift says by how many millionths the guest's clock ran faster than the
// host's between two stamps, and by how many that may be wrong.
func Drift(a, b Stamp) (ppm, off float64) {
	host := float64(b.Host.Sub(a.Host))
	ppm = (float64(b.Guest-a.Guest)/host - 1) * 1e6
	return ppm, float64(a.Width+b.Width) / 2 / host * 1e6
}

// WallError is how far the guest's time of day is ahead of the host's.
func (s Stamp) WallError() time.Duration { return s.Wall.Sub(s.Host) }
