package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// measurements in the order in which they run.
var measurements = []struct {
	name string
	run  func(context.Context, *bench) (*measured, error)
}{
	{"door", benchDoor},
	{"burst", benchBurst},
	{"assign", benchAssign},
	{"pools", benchPools},
	{"replay", benchReplay},
	{"reports", benchReports},
	{"start", benchStart},
}

func measurementNames() []string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

func benchCommand() *cobra.Command {
	b := &bench{}
	var seconds, burst float64
	var quick bool
	cmd := &cobra.Command{
		Use:     "bench [name…]",
		GroupID: groupLook,
		Short:   "Measure this program against what it is made of, side by side",
		Long: `Measure the program on this machine, each figure beside what it should be
compared with, in one run and on one disk:

  door    webhooks a second that are acknowledged once they are synced to disk, by
          256 connections; against the same door storing nothing (base), and
          against one synced publish to the log each, by 256 publishers without
          HTTP. And what a webhook waits that comes alone, against the sum of an
          HTTP hop and one synced publish.
  burst   the door of the whole program while it works the leads: what a webhook
          waits for its acknowledgement at a steady 300 a second, and at 2,000 a
          second for --burst seconds, which is more than it can work: how many
          were acknowledged, how many asked to come again (429 or 503), and how
          long until the last one is assigned. Each that was acknowledged must
          stand in the log then. One round.
  assign  leads a second from the webhook to the person who gets the lead, every
          step synced, until the last one is assigned; and at a steady 300 a
          second, what they wait for the acknowledgement and for the assignment.
  pools   leads a second from qualified to assigned, routing alone, with pools of
          10 (base), 1,000 and 10,000 people; and what each adds to the log.
  replay  events a second when the whole log is read, its proofs checked and its
          decisions made again; against a consumer that only reads (base). A log
          that is made for it is decided by three versions of the agreement.
  reports the read model on a log of 100,000 leads, about a million events, which is
          made up and not read from disk: events a second that are folded into
          SQLite, and with --postgres into PostgreSQL as well, against rows of the
          same size that are plainly inserted (base); every report, export and
          rebuild, against counting the leads (base).
  start   time until a process acknowledges a webhook, and its memory, on a log
          with 100,000 leads: after a clean stop (base), after kill -9, and on an
          empty directory. Two rounds at most; needs Linux.

Without names, all of them: a minute for door, assign and replay; burst takes some
minutes, most of them to work what came; reports takes minutes for each round, and
start as long as it takes to write its log, which --leads makes shorter. --quick takes about a minute, and its figures
are rough.

The variants take turns, A B C A B C, so that a disk or a neighbour that slows
down slows all of them. A figure is the median of the rounds, beside the least
and the most; a ratio is the median of the ratios to the base within each round.
Load and program share this machine's processors. Webhooks are about 600 bytes
of JSON, signed, each the lead of another person.

The goals stand beside the figures they are about. Nothing fails on a figure: a
measurement that could not be taken, a lead that was lost or a log that does not
verify is what ends with status 1. Everything lies in a temporary directory that
is removed at the end; TMPDIR says on which disk.`,
		Example: `  baton bench
  baton bench --quick
  baton bench door --rounds 7 --seconds 5
  baton bench burst --burst 10
  baton bench assign --cpuprofile assign.pprof
  baton bench --format json > figures.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			if quick {
				for name, value := range map[string]string{"rounds": "2", "seconds": "0.5", "leads": "5000", "burst": "3"} {
					if !cmd.Flags().Changed(name) {
						if err := cmd.Flags().Set(name, value); err != nil {
							return err
						}
					}
				}
			}
			for _, name := range args {
				if !slices.Contains(measurementNames(), name) {
					return misused(cmd, "there is no measurement %q; there are %s", name, strings.Join(measurementNames(), ", "))
				}
			}
			switch {
			case b.rounds < 1 || b.rounds > 100:
				return misused(cmd, "--rounds must lie between 1 and 100")
			case seconds < 0.2 || seconds > 600:
				return misused(cmd, "--seconds must lie between 0.2 and 600")
			case burst < 0.3 || burst > 600:
				return misused(cmd, "--burst must lie between 0.3 and 600")
			case b.leads < 1 || b.leads > 10_000_000:
				return misused(cmd, "--leads must lie between 1 and 10000000")
			case b.postgres != "" && !strings.HasPrefix(b.postgres, "postgres://") && !strings.HasPrefix(b.postgres, "postgresql://"):
				return misused(cmd, "--postgres is an address such as postgres://user:password@host:port/database")
			case b.cpuprofile != "" && len(args) != 1:
				return misused(cmd, "--cpuprofile shows one measurement: name it")
			}
			b.length, b.burst, b.progress = time.Duration(seconds*float64(time.Second)), time.Duration(burst*float64(time.Second)), cmd.ErrOrStderr()
			return b.run(contextOf(cmd), cmd.OutOrStdout(), format, args)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&b.rounds, "rounds", 3, "how often each variant takes its turn")
	flags.Float64Var(&seconds, "seconds", 1, "how long a turn lasts")
	flags.Float64Var(&burst, "burst", 30, "how many seconds burst sends 2,000 a second")
	flags.IntVar(&b.leads, "leads", 100_000, "how many leads the logs of reports and start hold")
	flags.IntVar(&b.replay, "replay", 2500, "how many leads the log of replay holds at least")
	flags.StringVar(&b.postgres, "postgres", "", "address of a PostgreSQL database in which reports measures as well, in a schema of its own that is dropped at the end")
	flags.BoolVar(&quick, "quick", false, "two short rounds, a burst of 3 s and 5,000 leads, where nothing else is said")
	flags.StringVar(&b.cpuprofile, "cpuprofile", "", "write where the program's own turn of the last round spent its time, for go tool pprof")
	return cmd
}

// bench is one run.
type bench struct {
	rounds     int
	length     time.Duration
	burst      time.Duration
	replay     int
	leads      int
	postgres   string
	cpuprofile string
	progress   io.Writer
	// after undoes what a run has made elsewhere.
	after []func(context.Context) error

	dir    string
	shared *world
	began  time.Time
}

// benchReport is what a run found and where.
type benchReport struct {
	Version string `json:"version"`
	Machine struct {
		System     string `json:"system"`
		Processors int    `json:"processors"`
		Go         string `json:"go"`
		// Load is the load average of the system before the run.
		Load string `json:"load_before"`
	} `json:"machine"`
	Began        time.Time   `json:"began"`
	Seconds      float64     `json:"took_seconds"`
	Rounds       int         `json:"rounds"`
	Measurements []*measured `json:"measurements"`
}

func (b *bench) run(ctx context.Context, out io.Writer, format string, names []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "baton-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	defer func() {
		for _, undo := range b.after {
			err = errors.Join(err, undo(context.WithoutCancel(ctx)))
		}
	}()
	defer func() {
		if b.shared != nil {
			err = errors.Join(err, b.shared.close(ctx))
		}
	}()
	b.began = time.Now()
	report := &benchReport{Version: version, Began: b.began.UTC(), Rounds: b.rounds}
	report.Machine.System = runtime.GOOS + "/" + runtime.GOARCH
	report.Machine.Processors, report.Machine.Go, report.Machine.Load = runtime.GOMAXPROCS(0), runtime.Version(), loadAverage()
	if format == formatTable {
		var f facts
		f.add("Machine", fmt.Sprintf("%s, %s, %s", report.Machine.System, counted(int64(report.Machine.Processors), "processor", "processors"), report.Machine.Go))
		f.add("Load before", report.Machine.Load)
		f.add("Rounds", fmt.Sprintf("%d, a turn lasts %s", b.rounds, b.length))
		if err := f.write(out); err != nil {
			return err
		}
	}
	for _, one := range measurements {
		if len(names) > 0 && !slices.Contains(names, one.name) {
			continue
		}
		m, err := one.run(ctx, b)
		b.quiet()
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		m.Name = one.name
		m.conclude()
		report.Measurements = append(report.Measurements, m)
		if format == formatTable {
			if err := m.write(out); err != nil {
				return err
			}
		}
	}
	report.Seconds = time.Since(b.began).Round(time.Millisecond).Seconds()
	if format == formatJSON {
		return writeJSON(out, report)
	}
	fmt.Fprintf(out, "\nTook %.0f s.\n", report.Seconds)
	return nil
}

// place is a folder of this run.
func (b *bench) place(name string) string { return filepath.Join(b.dir, name) }

// world is the whole program, shared by the measurements that need it.
func (b *bench) world(ctx context.Context) (*world, error) {
	if b.shared == nil {
		w, err := newWorld(ctx, b.place("world"))
		if err != nil {
			return nil, err
		}
		b.shared = w
	}
	return b.shared, nil
}

// say shows what is being measured.
func (b *bench) say(name string, round int, what string) {
	if isTerminal(b.progress) {
		fmt.Fprintf(b.progress, "\r\x1b[K%s %d/%d: %s (%.0f s)", name, round+1, b.rounds, what, time.Since(b.began).Seconds())
	}
}

func (b *bench) quiet() {
	if isTerminal(b.progress) {
		fmt.Fprint(b.progress, "\r\x1b[K")
	}
}

// profile begins the profile if this is the round for it, and answers what ends
// it.
func (b *bench) profile(round int) func() {
	if b.cpuprofile == "" || round != b.rounds-1 {
		return func() {}
	}
	file, err := os.Create(b.cpuprofile)
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		fmt.Fprintf(b.progress, "no profile: %v\n", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		if err := file.Close(); err != nil {
			fmt.Fprintf(b.progress, "no profile: %v\n", err)
		}
	}
}

// loadAverage is how many processes wanted to run lately, where the system
// says so.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(raw))
	return strings.Join(fields[:min(3, len(fields))], " ")
}
