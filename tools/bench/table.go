package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// sample is what repeated measurements of one thing gave.
type sample []float64

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// show is the median, and the range if there is one. Each value is written by f.
func (s sample) show(f func(float64) string) (median, span string) {
	if len(s) > 1 {
		span = f(slices.Min(s)) + " to " + f(slices.Max(s))
	}
	return f(s.median()), span
}

// over divides by the measurements that were taken in turn with these, one by
// one, so that what slowed the host for a while slowed both sides.
func (s sample) over(other sample) sample {
	ratios := make(sample, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// ratio writes what is below 1 as a fraction.
func ratio(r float64) string {
	if r > 0 && r < 1 {
		return "1/" + number(1/r)
	}
	return number(r)
}

// number writes about three digits.
func number(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func milliseconds(s float64) string { return number(s*1e3) + " ms" }
func kibibytes(b float64) string    { return number(b/1024) + " KiB" }
func microseconds(s float64) string { return number(s*1e6) + " µs" }

// goal says whether a value is at most what is wanted of it.
func goal(value, most float64, text string) string {
	if value <= most {
		return text + ", met"
	}
	return text + ", MISSED"
}

// table is lines of cells; the first line is the heading.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

// print aligns the first column to the left and the others to the right.
func (t table) print(w io.Writer) {
	var width []int
	for _, line := range t {
		for i, cell := range line {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range t {
		var b strings.Builder
		fmt.Fprintf(&b, "  %-*s", width[0], line[0])
		for i, cell := range line[1:] {
			fmt.Fprintf(&b, "  %*s", width[i+1], cell)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// noise says how busy the host is while this program does nothing.
func noise(ctx context.Context) string {
	const patience = 2 * time.Second
	busy, all := processorTime()
	select {
	case <-ctx.Done():
	case <-time.After(patience):
	}
	busy2, all2 := processorTime()
	if all2 <= all {
		return "load unknown"
	}
	return fmt.Sprintf("%.0f %% of %d CPUs busy", 100*(busy2-busy)/(all2-all), runtime.NumCPU())
}

// processorTime returns the time that all CPUs of the host were not idle, and
// all time, from the first line of /proc/stat: "cpu user nice system idle
// iowait irq softirq steal guest guest_nice", proc(5). The last two are in
// user and nice too.
func processorTime() (busy, all float64) {
	text, _ := os.ReadFile("/proc/stat")
	var t [8]float64
	if _, err := fmt.Sscanf(string(text), "cpu %g %g %g %g %g %g %g %g",
		&t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]); err != nil {
		return 0, 0
	}
	for _, v := range t {
		all += v
	}
	return all - t[3] - t[4], all
}
