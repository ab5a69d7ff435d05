//go:build tamago

package boot

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	_ "unsafe" // linkname

	"mult/arch/amd64"
	"mult/dev/clock"
)

// clk is the machine's clock. The time stamp counter is what everybody reads;
// it is measured against a slower clock whose rate is known.
var clk clock.Clock

const (
	// fastestTSC is an assumption in Hz, for the time until the counter is
	// measured: time may jump forward then, but never back.
	fastestTSC = 8e9
	// calibration is how long the first measurement takes.
	calibration = 10 * time.Millisecond
)

// startEarlyClock makes time run at some rate; the runtime wants to see it move.
func startEarlyClock() { clk.Start(entryTSC, 1, clock.Rate{Hz: fastestTSC}) }

//go:linkname nanotime runtime/goos.Nanotime
//go:nosplit
func nanotime() int64 { return int64(clk.At(amd64.RDTSC())) }

// wallOffset is what is added to Monotonic to get the time of day.
var wallOffset atomic.Int64

// Wall returns the time of day, in ns since 1970.
func Wall() int64 { return nanotime() + wallOffset.Load() }

// SetWall sets the time of day.
func SetWall(ns int64) {
	runtime.SetWallTime(ns)
	wallOffset.Store(ns - nanotime())
}

// Monotonic returns the time since the kernel was entered, in ns.
func Monotonic() int64 { return nanotime() }

// startClock measures the time stamp counter and reads the wall clock.
func (m *Machine) startClock() {
	m.Clock = "not measured"
	for _, name := range clockOrder(m.Options.Clock) {
		rate, counter, err := m.measure(name)
		if err != nil {
			m.Log.Debugf("clock: %s: %v", name, err)
			if name == m.Options.Clock {
				m.Log.Warnf("clock: %s: %v; trying others", name, err)
			}
			continue
		}
		clk.Start(entryTSC, 1, rate)
		m.Clock = "tsc/" + name
		m.Log.Infof("clock: tsc runs at %.3f MHz by %s, to %.0f ppm", rate.Hz/1e6, name, rate.PPM)
		if counter != nil {
			go refine(counter, rate)
		}
		break
	}
	if m.Clock == "not measured" {
		m.Log.Errf("clock: nothing to measure the time stamp counter against: time runs at a wrong rate")
	}
	amd64.MeasureTimer()
	m.readWallClock()
}

// clockOrder returns the references in the order in which they are tried.
func clockOrder(first string) []string {
	order := []string{first}
	for _, name := range []string{"pvclock", "hpet", "pmtimer", "pit"} {
		if name != first {
			order = append(order, name)
		}
	}
	if first == "auto" {
		order = order[1:]
	}
	return order
}

// measure returns the rate of the time stamp counter by a reference, and the
// reference if it can measure more.
func (m *Machine) measure(name string) (clock.Rate, clock.Counter, error) {
	if name == "pvclock" {
		rate, err := pvclock()
		return rate, nil, err
	}
	counter, err := m.counter(name)
	if err != nil {
		return clock.Rate{}, nil, err
	}
	rate, err := clock.Calibrate(amd64.RDTSC, counter, calibration)
	return rate, counter, err
}

func (m *Machine) counter(name string) (clock.Counter, error) {
	switch {
	case name == "hpet" && m.acpi != nil && m.acpi.HPET != 0:
		h := &clock.HPET{Regs: ports{}, Base: m.acpi.HPET}
		return h, h.Init()
	case name == "pmtimer" && m.acpi != nil && m.acpi.FADT.PMTimer.Addr != 0:
		fadt := &m.acpi.FADT
		return &clock.PMTimer{
			Register: func() uint32 { return fadt.PMTimer.Read32(ports{}) },
			Wide:     fadt.PMTimer32(),
		}, nil
	case name == "pit":
		p := &clock.PIT{Ports: ports{}}
		return p, p.Init()
	}
	return nil, clock.ErrAbsent
}

// refine improves the rate as long as it gets better: each time the span
// measured is twice as long. The PIT, which costs the host of a virtual
// machine 18 interrupts a second, is stopped after a minute.
func refine(c clock.Counter, rate clock.Rate) {
	f, end := clock.NewRefiner(amd64.RDTSC, c, rate), time.Hour
	if pit, ok := c.(*clock.PIT); ok {
		end = time.Minute
		defer pit.Stop()
	}
	for wait := time.Second; wait < end; wait *= 2 {
		time.Sleep(wait)
		if rate, ok := f.Sample(); ok {
			clk.SetRate(amd64.RDTSC(), rate)
			if k := running.Load(); k != nil {
				k.ClockChanged()
			}
		}
	}
}

// KVM's paravirtual clock: Linux's Documentation/virt/kvm/x86/{cpuid,msr}.rst.
const (
	kvmFeatures    = 0x40000001
	kvmClockSource = 1 << 3
	kvmClockMSR    = 0x4b564d01
)

// pvclock asks KVM for the rate of the time stamp counter.
func pvclock() (clock.Rate, error) {
	if amd64.Hypervisor() != "KVMKVMKVM" {
		return clock.Rate{}, clock.ErrAbsent
	}
	if features, _, _, _ := amd64.CPUID(kvmFeatures, 0); features&kvmClockSource == 0 {
		return clock.Rate{}, fmt.Errorf("KVM doesn't offer it: %w", clock.ErrAbsent)
	}
	pa, ok := Frames.Alloc()
	if !ok {
		return clock.Rate{}, fmt.Errorf("no memory")
	}
	page := amd64.Bytes(uint64(pa), amd64.PageSize)
	clear(page)
	amd64.WriteMSR(kvmClockMSR, uint64(pa)|1)
	pv, err := clock.ReadPVClock(func() [clock.PVClockSize]byte { return [clock.PVClockSize]byte(page) })
	amd64.WriteMSR(kvmClockMSR, 0)
	Frames.Free(pa)
	if err != nil {
		return clock.Rate{}, err
	}
	return pv.Rate()
}

func (m *Machine) readWallClock() {
	rtc := clock.RTC{Ports: ports{}}
	if m.acpi != nil {
		rtc.Century = m.acpi.FADT.Century
	}
	now, err := rtc.Now()
	if err != nil {
		m.Log.Errf("clock: %v: the wall clock starts at 1970", err)
		return
	}
	SetWall(now.UnixNano())
	m.Log.Infof("clock: it is %s", now.UTC().Format(time.DateTime+" UTC"))
}
