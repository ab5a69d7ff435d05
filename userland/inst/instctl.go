package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

// configDir has a file for each instance that is known by name.
const configDir = "/etc/inst"

// config returns the settings of an instance from its file: an empty text if there is none.
func config(file string) (string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	text := string(b)
	var out strings.Builder
	for line := range strings.Lines(text) { // the kernel counts lines in its errors
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			out.WriteString(strings.TrimSuffix(line, "\n"))
		}
		out.WriteString("\n")
	}
	return out.String(), err
}

// settings makes settings for the kernel of arguments such as host=web.
func settings(args []string) (string, error) {
	var b strings.Builder
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok || strings.ContainsAny(a, " \n") {
			return "", fmt.Errorf("%q is no setting: write name=value", a)
		}
		fmt.Fprintf(&b, "%s %s\n", name, value)
	}
	return b.String(), nil
}

// create makes an instance with the settings of its file and those of the command line.
func create(name, file string, args []string, start bool) error {
	text, err := config(file)
	if err != nil {
		return err
	}
	more, err := settings(args)
	if err != nil {
		return err
	}
	if _, err = instcall.Create(name, text+more, start); err != nil && text != "" && errors.Is(err, syscall.EINVAL) {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// gone waits until an instance is dead that do ends.
func gone(name string, do func() error) error {
	w, err := instcall.NewWatch(name)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := do(); err != nil {
		return err
	}
	_, err = w.Dead()
	return err
}

// each does something with each of the named instances, and goes on after errors.
func each(do func(name string) error) func(*cobra.Command, []string) error {
	return func(_ *cobra.Command, names []string) error {
		var errs []error
		for _, name := range names {
			errs = append(errs, do(name))
		}
		return errors.Join(errs...)
	}
}

func instctl() *cobra.Command {
	c := &cobra.Command{Use: "instctl", Short: "manage the instances below this one"}
	var file string
	var grace time.Duration
	fileOf := func(name string) string {
		if file != "" {
			return file
		}
		return configDir + "/" + name
	}
	withFile := func(c *cobra.Command) *cobra.Command {
		c.Flags().StringVarP(&file, "file", "f", "", "settings of the instance (default "+configDir+"/NAME)")
		return c
	}
	withGrace := func(c *cobra.Command) *cobra.Command {
		c.Flags().DurationVarP(&grace, "grace", "g", 10*time.Second, "how long it may take before it is killed")
		return c
	}
	stop := func(name string) error {
		return gone(name, func() error { return instcall.Stop(name, grace) })
	}
	start := func(name string, set []string) error {
		if in, err := instcall.Get(name); err == nil && in.State == "creating" && len(set) == 0 {
			return instcall.Start(name)
		}
		return create(name, fileOf(name), set, true)
	}
	c.AddCommand(
		withFile(&cobra.Command{
			Use: "create NAME [SETTING=VALUE...]", Short: "make an instance that start starts", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return create(args[0], fileOf(args[0]), args[1:], false) },
		}),
		withFile(&cobra.Command{
			Use: "start NAME [SETTING=VALUE...]", Short: "start an instance, which is made if need be", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return start(args[0], args[1:]) },
		}),
		withGrace(&cobra.Command{
			Use: "stop NAME...", Short: "have instances end", Args: cobra.MinimumNArgs(1), RunE: each(stop),
		}),
		withGrace(withFile(&cobra.Command{
			Use: "restart NAME...", Short: "stop instances and start them again", Args: cobra.MinimumNArgs(1),
			RunE: each(func(name string) error {
				if err := stop(name); err != nil {
					return err
				}
				return start(name, nil)
			}),
		})),
		&cobra.Command{
			Use: "destroy NAME...", Aliases: []string{"halt"}, Short: "end instances at once", Args: cobra.MinimumNArgs(1),
			RunE: each(func(name string) error {
				return gone(name, func() error { return instcall.Kill(name) })
			}),
		},
		&cobra.Command{
			Use: "suspend NAME...", Short: "keep the processes of instances from running", Args: cobra.MinimumNArgs(1), RunE: each(instcall.Suspend),
		},
		&cobra.Command{
			Use: "resume NAME...", Short: "let them run again", Args: cobra.MinimumNArgs(1), RunE: each(instcall.Resume),
		},
		&cobra.Command{
			Use: "set NAME SETTING=VALUE...", Short: "change settings", Args: cobra.MinimumNArgs(2),
			RunE: func(_ *cobra.Command, args []string) error {
				text, err := settings(args[1:])
				if err != nil {
					return err
				}
				return instcall.Set(args[0], text)
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
