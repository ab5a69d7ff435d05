package linux

import (
	"fmt"
	"strconv"
	"strings"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/host"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/vm"
)

// This file has the words in which instctl(2) speaks of an instance: what can be set, and
// what there is to know. Each is a line of text, a name and a value.

// Settings are what one who manages an instance can say about it.
type Settings struct {
	Root   string      // directory that it gets a copy of; only when it is made
	Caller *vfs.Caller // for whom Root is a path

	Host, Domain string                  // "": as it is
	Limits       map[inst.Resource]int64 // those that it says something about
	Weight       int                     // of its share of the processors; 0: as it is
	Cap          *int                    // percent of a processor that it gets at most, 0: no cap; nil: as it is
}

// maxSettings is how long settings can be, as text.
const maxSettings = 4096

// maxCap is the largest cap: a thousand processors.
const maxCap = 100000

// noLimit is the value of a limit that there isn't.
const noLimit = "none"

// ParseSettings reads settings. An error names the line and what is wrong with it.
func ParseSettings(text string) (s Settings, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.Clone(strings.TrimSpace(value)) // what keeps it doesn't keep all of text
		if name == "" {
			continue
		}
		bad := func(why string) (Settings, error) {
			return Settings{}, inst.Errorf(errno.EINVAL, "line %d: %s: %s", n, name, why)
		}
		limit, isLimit := strings.CutPrefix(name, "limit.")
		switch {
		case name == "root":
			if value == "" {
				return bad("a directory is needed")
			}
			s.Root = value
		case name == "host" || name == "domain":
			if value == "" || len(value) > host.MaxName {
				return bad(fmt.Sprintf("a name of 1 to %d bytes is needed", host.MaxName))
			}
			if name == "host" {
				s.Host = value
			} else {
				s.Domain = value
			}
		case name == "cpu.weight":
			if s.Weight, err = strconv.Atoi(value); err != nil || s.Weight < 1 || s.Weight > sched.MaxWeight {
				return bad(fmt.Sprintf("%q is no number from 1 to %d", value, sched.MaxWeight))
			}
		case name == "cpu.cap":
			percent := 0
			if value != noLimit {
				if percent, err = strconv.Atoi(value); err != nil || percent < 1 || percent > maxCap {
					return bad(fmt.Sprintf("%q is neither a number from 1 to %d nor %s", value, maxCap, noLimit))
				}
			}
			s.Cap = &percent
		case isLimit:
			r, ok := resource(limit)
			if !ok {
				return bad("there is no such limit")
			}
			v := int64(inst.NoLimit)
			if value != noLimit {
				if v, err = strconv.ParseInt(value, 10, 64); err != nil || v < 0 {
					return bad(fmt.Sprintf("%q is neither a number nor %s", value, noLimit))
				}
			}
			if s.Limits == nil {
				s.Limits = make(map[inst.Resource]int64)
			}
			s.Limits[r] = v
		default:
			return bad("there is no such setting")
		}
	}
	return s, nil
}

// resource finds a resource by its name.
func resource(name string) (inst.Resource, bool) {
	for r := range inst.NumResources {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// Apply makes the settings hold for in.
func (s *Settings) Apply(in *inst.Inst) error {
	if s.Host != "" {
		if err := host.SetName(in, s.Host); err != nil {
			return inst.Errorf(errno.EINVAL, "host name %q has more than %d bytes", s.Host, host.MaxName)
		}
	}
	if s.Domain != "" {
		if err := host.SetDomain(in, s.Domain); err != nil {
			return inst.Errorf(errno.EINVAL, "domain name %q has more than %d bytes", s.Domain, host.MaxName)
		}
	}
	for r, n := range s.Limits {
		in.SetLimit(r, n)
	}
	if s.Weight != 0 {
		sched.SetWeight(in, s.Weight)
	}
	if s.Cap != nil {
		sched.SetCap(in, *s.Cap)
	}
	return nil
}

// Describe adds to b what there is to know of in for one in viewer. What is above viewer
// is none of it, and that is where root comes from, too.
func (k *Kernel) Describe(b []byte, in, viewer *inst.Inst) []byte {
	line := func(name string, v any) { b = fmt.Appendf(b, "%s %v\n", name, v) }
	limit := func(n int64) string {
		if n == inst.NoLimit {
			return noLimit
		}
		return strconv.FormatInt(n, 10)
	}
	line("id", in.ID)
	line("name", in.Name())
	if in != viewer {
		line("parent", in.Parent.ID)
		line("root", k.Insts.Root(in, viewer))
	}
	line("state", in.State())
	line("created", in.Created)
	line("references", in.Refs())
	line("host", strconv.Quote(host.Name(in))) // root inside may put anything into them
	line("domain", strconv.Quote(host.Domain(in)))
	tab := proc.TableOf(in)
	c, t := tab.Counts(), tab.Totals()
	line("processes", c.Procs)
	line("threads", c.Threads)
	line("forks", c.Forks)
	line("cpu.weight", sched.WeightOf(in))
	if c := sched.CapOf(in); c != 0 {
		line("cpu.cap", c)
	} else {
		line("cpu.cap", noLimit)
	}
	line("time.user", t.UTime)
	line("time.system", t.STime)
	for r := range inst.NumResources {
		line("used."+r.String(), in.Used(r))
		line("limit."+r.String(), limit(in.OwnLimit(r)))
		line("refused."+r.String(), in.Refused(r))
	}
	return b
}

// describeProc adds a line about p to b: number, parent, user, state as ps(1) shows it,
// nice value, threads, CPU time in the program and in the kernel, age (ns), memory that is
// mapped and that is there (bytes), name.
func describeProc(b []byte, p *proc.Proc) []byte {
	s := p.Stat()
	var m vm.Stats
	if sp := p.Space(); sp != nil {
		m = sp.Stats()
		sp.Release()
	}
	return fmt.Appendf(b, "%d %d %d %c %d %d %d %d %d %d %d %q\n", s.PID, s.Parent, s.Cred.UID, s.State, s.Nice, s.Threads,
		s.Usage.UTime, s.Usage.STime, p.System().Now()-s.Started, m.VSize, m.RSS, s.Comm)
}
