package main

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

// A selection says which instances a command is about: those that are named, those that a
// file describes, or all.
type selection struct {
	file string
	all  bool
}

// names returns them. All are the ones directly below; who ends or suspends them does so
// with those further down.
func (s *selection) names(args []string) ([]string, error) {
	switch {
	case len(args) > 0 && s.file == "" && !s.all:
		return args, nil
	case len(args) == 0 && s.file != "" && !s.all:
		c, err := confOf("", s.file)
		if err != nil {
			return nil, err
		}
		return c.paths(), nil
	case len(args) == 0 && s.file == "" && s.all:
		list, err := instcall.List("")
		var names []string
		for _, p := range paths(list) {
			if depth(p) == 0 {
				names = append(names, p)
			}
		}
		slices.Sort(names)
		return names, err
	}
	return nil, errors.New("say which instances: names, a file by -f, or --all")
}

// command returns one that does something with all that are selected; found: nobody has
// named them.
func (s *selection) command(c *cobra.Command, do func(names []string, found bool) error) *cobra.Command {
	c.Use += " NAME... | -f FILE | --all"
	c.Flags().StringVarP(&s.file, "file", "f", "", "those that a file describes")
	c.Flags().BoolVarP(&s.all, "all", "a", false, "all below this one")
	c.RunE = func(_ *cobra.Command, args []string) error {
		names, err := s.names(args)
		if err != nil {
			return err
		}
		return do(names, s.all)
	}
	return c
}

// each does something with each of the instances, and goes on after errors. One that was found
// may have ended meanwhile.
func each(do func(name string) error) func(names []string, found bool) error {
	return func(names []string, found bool) error {
		var errs []error
		for _, name := range names {
			if err := do(name); !found || !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
}

// makeCommand is create or start.
func makeCommand(c *cobra.Command, start bool) *cobra.Command {
	var file, dir string
	var all bool
	c.Use += " [-f FILE] [NAME] [SETTING=VALUE...]"
	c.Flags().StringVarP(&file, "file", "f", "", "describes the instance, or several (default "+configDir+"/NAME"+suffix+")")
	if start {
		c.Use += " | --all [-d DIRECTORY]"
		c.Flags().BoolVarP(&all, "all", "a", false, "those that start by themselves")
		c.Flags().StringVarP(&dir, "directory", "d", "", "where they are described (default "+configDir+", in inst0)")
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		if !all && dir != "" || all && (len(args) > 0 || file != "") {
			return errors.New("-d goes with --all only, and nothing else does")
		}
		if all {
			return startAll(dir)
		}
		name := ""
		if len(args) > 0 && !strings.Contains(args[0], "=") {
			name, args = args[0], args[1:]
		}
		c, err := confOf(name, file)
		if err != nil {
			return err
		}
		more, err := settings(args)
		if err != nil {
			return err
		}
		return create(c, more, start)
	}
	return c
}

func instctl() *cobra.Command {
	c := &cobra.Command{Use: "instctl", Short: "manage the instances below this one"}
	var grace time.Duration
	withGrace := func(c *cobra.Command) *cobra.Command {
		c.Flags().DurationVarP(&grace, "grace", "g", 20*time.Second, "how long it may take before it is killed")
		return c
	}
	var restartFile string
	again := &cobra.Command{
		Use: "restart [-f FILE] NAME...", Short: "stop instances and start them again", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return each(func(name string) error { return restart(name, restartFile, grace) })(args, false)
		},
	}
	again.Flags().StringVarP(&restartFile, "file", "f", "", "describes them anew (default: as they were)")
	var which selection
	c.AddCommand(
		makeCommand(&cobra.Command{Use: "create", Short: "make an instance that start starts"}, false),
		makeCommand(&cobra.Command{Use: "start", Short: "start an instance, which is made if need be"}, true),
		withGrace(again),
		withGrace(which.command(&cobra.Command{Use: "stop", Short: "have instances end"}, func(names []string, found bool) error {
			return stop(names, found, grace)
		})),
		which.command(&cobra.Command{Use: "destroy", Aliases: []string{"halt"}, Short: "end instances at once"}, func(names []string, found bool) error {
			return end(names, func(string) bool { return found }, instcall.Kill)
		}),
		which.command(&cobra.Command{Use: "suspend", Short: "keep the processes of instances from running"}, each(instcall.Suspend)),
		which.command(&cobra.Command{Use: "resume", Short: "let them run again"}, each(instcall.Resume)),
		&cobra.Command{
			Use: "set NAME SETTING=VALUE...", Short: "change settings", Args: cobra.MinimumNArgs(2),
			RunE: func(_ *cobra.Command, args []string) error {
				list, err := settings(args[1:])
				if err != nil {
					return err
				}
				return say(list, func(text string) error { return instcall.Set(args[0], text) })
			},
		},
		&cobra.Command{
			Use: "rename NAME NEW", Short: "give an instance another name", Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return instcall.Rename(args[0], args[1]) },
		},
		&cobra.Command{
			Use: "wait NAME", Short: "wait until an instance has ended, and exit as its process 1", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				w, err := instcall.NewWatch(args[0])
				if err != nil {
					return err
				}
				s, err := w.Dead()
				if err != nil {
					return err
				}
				return exit{s}
			},
		},
		withJSON(&cobra.Command{
			Use: "show NAME", Short: "tell all about an instance", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				in, err := instcall.Get(args[0])
				if err != nil {
					return err
				}
				return show(c, in, func() { printInfo(in) })
			},
		}),
		withJSON(&cobra.Command{
			Use: "list", Short: "list the instances below this one", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				list, err := instcall.List("")
				if err != nil {
					return err
				}
				return show(c, list, func() { printList(list) })
			},
		}),
	)
	c.AddCommand(execCommands()...)
	return c
}
