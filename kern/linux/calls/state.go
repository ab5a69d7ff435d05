package calls

// State is how much of a call works.
type State uint8

const (
	Absent   State = iota // the call gives ENOSYS
	Partial               // some of it gives an error that Linux wouldn't
	Complete              // as on Linux
)

func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Partial:
		return "partial"
	case Complete:
		return "complete"
	}
	return "?"
}
