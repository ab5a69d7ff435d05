package main

import (
	"errors"
	"fmt"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

// A process is one with the instance that it is in.
type process struct {
	ID   uint64 `json:"instance_id"`
	Inst string `json:"instance"`
	instcall.Proc
	depth int // processes above it
}

// allProcesses returns those of this instance and all below it.
func allProcesses() ([]process, error) {
	own, err := instcall.Get("")
	if err != nil {
		return nil, err
	}
	list, err := instcall.List("")
	if err != nil {
		return nil, err
	}
	return processes(append([]instcall.Info{own}, list...))
}

// processesOf returns those of one instance.
func processesOf(name string) ([]process, error) {
	in, err := instcall.Get(name)
	if err != nil {
		return nil, err
	}
	procs, err := instcall.Procs(name)
	list := []process{}
	for _, p := range procs {
		list = append(list, process{ID: in.ID, Inst: name, Proc: p})
	}
	return list, err
}

// processes returns those of some instances. One that has ended meanwhile has none.
func processes(list []instcall.Info) ([]process, error) {
	path := paths(list)
	all := []process{} // none is an empty list in JSON, too
	for _, in := range list {
		name := path[in.ID]
		if in.Parent == nil {
			name = ""
		}
		procs, err := instcall.Procs(name)
		if errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, p := range procs {
			all = append(all, process{ID: in.ID, Inst: path[in.ID], Proc: p})
		}
	}
	return all, nil
}

// forest puts children behind their parents, and says how deep they are. Instances stay
// together.
func forest(all []process) []process {
	type key struct {
		inst uint64
		pid  int
	}
	kids := make(map[key][]process)
	there := make(map[key]bool)
	for _, p := range all {
		there[key{p.ID, p.PID}] = true
	}
	roots, out := []process{}, []process{}
	for _, p := range all {
		if up := (key{p.ID, p.Parent}); there[up] {
			kids[up] = append(kids[up], p)
		} else {
			roots = append(roots, p)
		}
	}
	var add func(p process, depth int)
	add = func(p process, depth int) {
		p.depth = depth
		out = append(out, p)
		for _, k := range kids[key{p.ID, p.PID}] {
			add(k, depth+1)
		}
	}
	for _, p := range roots {
		add(p, 0)
	}
	return out
}

func printProcesses(all []process) {
	table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "INSTANCE\tPID\tPPID\tUID\tS\tTHR\tMEMORY\tCPU\tNAME")
		for _, p := range all {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t%s\t%.2fs\t%*s%s\n", p.Inst, p.PID, p.Parent, p.UID, p.State, p.Threads,
				amount(int64(p.Memory), 1), (p.User + p.System).Seconds(), 2*p.depth, "", plain(p.Name))
		}
	})
}

func instps() *cobra.Command {
	var asForest bool
	c := withJSON(&cobra.Command{
		Use: "instps [NAME]", Short: "list the processes of this instance and those below it, or of one", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			get := allProcesses
			if len(args) == 1 {
				get = func() ([]process, error) { return processesOf(args[0]) }
			}
			list, err := get()
			if err != nil {
				return err
			}
			if asForest {
				list = forest(list)
			}
			return show(c, list, func() { printProcesses(list) })
		},
	})
	c.Flags().BoolVarP(&asForest, "forest", "f", false, "put children behind their parents")
	return c
}
