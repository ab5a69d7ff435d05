package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

// withJSON gives a command the option --json.
func withJSON(c *cobra.Command) *cobra.Command {
	c.Flags().Bool("json", false, "print it as JSON")
	return c
}

// show prints v as JSON if that is asked for, or calls print.
func show(c *cobra.Command, v any, print func()) error {
	if yes, _ := c.Flags().GetBool("json"); !yes {
		print()
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := os.Stdout.Write(plainJSON(b.Bytes()))
	return err
}

// plain is what programs inside have chosen, as a terminal can be told it: names of hosts and
// processes can have any bytes, also such as would make it do something.
func plain(s string) string {
	s = strconv.Quote(s)
	return s[1 : len(s)-1]
}

// plainJSON is plain for JSON, whose encoder leaves some of these characters as they are.
func plainJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r == '\n' || strconv.IsPrint(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, "\\u%04x", u)
		}
	}
	return out
}

// table prints rows in columns.
func table(rows func(w *tabwriter.Writer)) {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	rows(w)
	w.Flush()
}

// resources are those that the kernel may tell of, and their units.
var resources = []struct {
	name string
	unit int64
}{
	{"frames", 4096}, {"heap", 1}, {"instances", 0}, {"processes", 0}, {"threads", 0}, {"files", 0}, {"ptys", 0}, {"mounts", 0},
	{"content", 4096}, {"inodes", 0},
}

// amount writes a number of bytes, or of pieces if the unit is 0.
func amount(n, unit int64) string {
	if unit == 0 {
		return strconv.FormatInt(n, 10)
	}
	n *= unit
	for _, u := range []struct {
		size int64
		sign string
	}{{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f%s", float64(n)/float64(u.size), u.sign)
		}
	}
	return strconv.FormatInt(n, 10)
}

func printInfo(in instcall.Info) {
	table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "id\t%d\nname\t%s\nstate\t%s\ncreated\t%s\n", in.ID, in.Name, in.State, in.Created.UTC().Format(time.DateTime))
		if in.Parent != nil {
			fmt.Fprintf(w, "parent\t%d\n", *in.Parent)
		}
		fmt.Fprintf(w, "host name\t%s\ndomain\t%s\n", plain(in.Host), plain(in.Domain))
		if in.Root != "" {
			fmt.Fprintf(w, "root\t%s\n", plain(in.Root))
		}
		fmt.Fprintf(w, "own processes\t%d\nown threads\t%d\n", in.Processes, in.Threads)
		limit := "none"
		if in.Cap != nil {
			limit = fmt.Sprintf("%d %% of a processor", *in.Cap)
		}
		fmt.Fprintf(w, "CPU weight\t%d\nCPU cap\t%s\n", in.Weight, limit)
		fmt.Fprintf(w, "CPU time\t%v, and %v in the kernel\n", in.User.Round(time.Millisecond), in.System.Round(time.Millisecond))
		for _, r := range resources {
			u, ok := in.Uses[r.name]
			if !ok {
				continue
			}
			limit := "no limit of its own"
			if u.Limit != nil {
				limit = "of " + amount(*u.Limit, r.unit)
			}
			fmt.Fprintf(w, "%s\t%s, %s, refused %d times\n", r.name, amount(u.Used, r.unit), limit, u.Refused)
		}
	})
}

// paths returns the names on the way to each instance of a list, by id: those by which
// the caller's own instance finds it, if that isn't it. The list begins with the oldest,
// so parents come first.
func paths(list []instcall.Info) map[uint64]string {
	all := make(map[uint64]string)
	below := make(map[uint64]bool) // those that have others' names before their own
	for _, in := range list {
		all[in.ID] = in.Name
		below[in.ID] = in.Parent != nil
		if in.Parent != nil && below[*in.Parent] {
			all[in.ID] = all[*in.Parent] + "/" + in.Name
		}
	}
	return all
}

func printList(list []instcall.Info) {
	path := paths(list)
	table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tSTATE\tPROCS\tMEMORY\tCPU\tHOST")
		for _, in := range list {
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%.2fs\t%s\n", in.ID, path[in.ID], in.State, in.Processes,
				amount(in.Uses["frames"].Used, 4096), (in.User + in.System).Seconds(), plain(in.Host))
		}
	})
}

// printTree prints the instances below one, each below its parent.
func printTree(own instcall.Info, list []instcall.Info) {
	kids := make(map[uint64][]instcall.Info)
	for _, in := range list {
		if in.Parent != nil {
			kids[*in.Parent] = append(kids[*in.Parent], in)
		}
	}
	var print func(in instcall.Info, first, rest string)
	print = func(in instcall.Info, first, rest string) {
		fmt.Printf("%s%s (%d, %s)\n", first, in.Name, in.ID, in.State)
		below := kids[in.ID]
		for i, k := range below {
			if i < len(below)-1 {
				print(k, rest+"|-- ", rest+"|   ")
			} else {
				print(k, rest+"`-- ", rest+"    ")
			}
		}
	}
	print(own, "", "")
}

// printCounts prints counts of the machine.
func printCounts(counts map[string]int64) {
	table(func(w *tabwriter.Writer) {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(w, "%s\t%d\n", name, counts[name])
		}
	})
}

func instinfo() *cobra.Command {
	var tree, machine bool
	c := withJSON(&cobra.Command{
		Use: "instinfo", Short: "tell about this instance and those below it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if machine {
				counts, err := instcall.Debug()
				if err != nil {
					return err
				}
				return show(c, counts, func() { printCounts(counts) })
			}
			own, err := instcall.Get("")
			if err != nil {
				return err
			}
			list, err := instcall.List("")
			if err != nil {
				return err
			}
			all := struct {
				Own   instcall.Info   `json:"own"`
				Below []instcall.Info `json:"below"`
			}{own, list}
			return show(c, all, func() {
				if tree {
					printTree(own, list)
					return
				}
				printInfo(own)
				if len(list) > 0 {
					fmt.Println()
					printList(list)
				}
			})
		},
	})
	c.Flags().BoolVarP(&tree, "tree", "t", false, "print only which instance is below which")
	c.Flags().BoolVarP(&machine, "debug", "d", false, "tell about the machine instead: its memory, and what is left of instances")
	return c
}
