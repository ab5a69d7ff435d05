package inst

import (
	"slices"

	"mult/kern/errno"
)

// A State is how far an instance is in its life.
type State uint32

const (
	Creating  State = iota // it has members, and no process that runs yet
	Running                //
	Suspended              // its processes get no processor
	Stopping               // its processes end, or have ended
	Dead                   // its members are freed, its name may be used again
)

var stateNames = [...]string{"creating", "running", "suspended", "stopping", "dead"}

func (s State) String() string { return stateNames[s] }

// mayBecome has the transitions that there are.
var mayBecome = [...]uint{
	Creating:  1<<Running | 1<<Stopping,
	Running:   1<<Suspended | 1<<Stopping,
	Suspended: 1<<Running | 1<<Stopping,
	Stopping:  1 << Dead,
	Dead:      0,
}

// State returns the state of in, which may change at once.
func (in *Inst) State() State { return State(in.state.Load()) }

// Become makes to the state of in, if there is such a transition, and tells those
// who watch. EBUSY if there is none, or if it isn't from one of the states only, if any
// are given.
func (in *Inst) Become(to State, only ...State) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	from := in.State()
	if mayBecome[from]&(1<<to) == 0 || len(only) > 0 && !slices.Contains(only, from) {
		return Errorf(errno.EBUSY, "instance %s is %s, so it can't become %s", in.Name(), from, to)
	}
	in.state.Store(uint32(to))
	if f := in.sys.Changed; f != nil {
		f(in, from, to)
	}
	for w := range in.watchers {
		w.f(to)
	}
	return nil
}

// A Watcher sees each transition of an instance. It doesn't keep the instance.
type Watcher struct{ f func(State) }

// Watch makes each transition of in call f with the new state, in their order, until
// Unwatch. It returns the state before the first of them. f must be quick; it may not
// sleep, nor change or watch an instance.
func (in *Inst) Watch(f func(State)) (*Watcher, State) {
	w := &Watcher{f}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.watchers == nil {
		in.watchers = make(map[*Watcher]struct{})
	}
	in.watchers[w] = struct{}{}
	return w, in.State()
}

// Unwatch ends Watch: when it returns, f is not running and not called again.
func (in *Inst) Unwatch(w *Watcher) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.watchers, w)
	if len(in.watchers) == 0 {
		in.watchers = nil
	}
}
