package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/keys"
)

func simulateCommand() *cobra.Command {
	var cfg simulation
	var people, leads, document string
	cmd := &cobra.Command{
		Use:     "simulate",
		GroupID: groupLook,
		Short:   "Play weeks with your people and your agreement, and see what its times buy",
		Long: `Plays the same leads and the same people four times, on the real services and a clock
of their own: with all times of the agreement taken out, so that whoever is offered a
lead keeps it; with its time-outs; with its reminders as well; and with the whole
agreement, in which managers are told of what ran out. Then it shows the answer times
side by side, and what each of the three buys.

--people is a CSV file with one line for each person:

  person,within_1h,within_24h,later,declines,reminded,sits,asked,away_from,away_until,pools
  ana,60,20,15,5,50,5,90,,,inside-sales
  ben,20,10,20,5,10,20,50,3,5,inside-sales large-companies

within_1h, within_24h and later say of how many of a hundred offers the person takes
so soon, declines how many they pass on; the rest they never look at. Of a hundred
leads that they have taken, they sit on "sits": they call only when a clock reminds
them or somebody asks. When a reminder comes, they take "reminded" of a hundred offers
that they would take late or never, and call on as many of a hundred leads that they
sit on; told by a clock's step, or asked, they call on "asked" of them within the hour.
They are away from day away_from up to the end of day away_until, counted from 1. pools
are the pools of the agreement in which the person is, separated by blanks; a pool that
the file names has these people and no others. A column that is left out has the value of
the people whom Baton brings: eight people who together answer as the companies did of
which the Harvard Business Review wrote (The Short Life of Online Sales Leads, 2011:
37 % within an hour, 16 % within a day, 24 % later, 23 % never, 42 hours on average).

A manager who is told of a lead acts on --manager-acts of a hundred, after half to one
and a half of --manager-delay, in working hours, unless it is done by then: whoever
took the lead is asked, and calls on "asked" of a hundred; where they do not, are away,
or have not taken it yet, the manager moves it by hand to whom the rules choose of those
on duty. Managers are those of the pools and whom the clocks' steps name. Oversight
plays no part.

--leads is a CSV file of the leads: a column "received_at" (RFC 3339) and the fields
of a form, such as email, company, country and employees. Without it, --rate visitors
come each working day. Without --agreement, the starter is played, with the clock that
it has as an example. Nothing is kept: it all happens in a temporary directory.`,
		Example: `  baton simulate
  baton simulate --agreement agreement.yaml --people people.csv --rate 60 --days 5
  baton simulate --leads leads.csv --seed 7 --format json
  baton simulate --manager-acts 30 --manager-delay 4h`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.days < 1 || cfg.days > 60 {
				return misused(cmd, "--days must lie between 1 and 60")
			}
			if cfg.rate < 1 || cfg.rate > 2000 {
				return misused(cmd, "--rate must lie between 1 and 2000 leads a working day")
			}
			if cfg.acts < 0 || cfg.acts > 100 {
				return misused(cmd, "--manager-acts must lie between 0 and 100, in leads of a hundred")
			}
			if cfg.delay < time.Minute || cfg.delay > 7*24*time.Hour {
				return misused(cmd, "--manager-delay must lie between 1m and 168h")
			}
			if leads != "" && cmd.Flags().Changed("rate") {
				return misused(cmd, "the leads come from %s; --rate is for leads that are made up", leads)
			}
			if cfg.format = cmd.Flag("format").Value.String(); cfg.format != formatTable && cfg.format != formatJSON {
				return misused(cmd, "--format is table or json")
			}
			if err := cfg.read(people, leads, document); err != nil {
				return err
			}
			return simulate(contextOf(cmd), cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&people, "people", "", "CSV file of the people (default eight people of no company)")
	flags.StringVar(&leads, "leads", "", "CSV file of the leads (default made up)")
	flags.StringVar(&document, "agreement", "", "agreement to play (default the starter with these people and its example of a clock)")
	flags.IntVar(&cfg.acts, "manager-acts", managerActs, "of a hundred leads that a manager is told of, on how many they act")
	flags.DurationVar(&cfg.delay, "manager-delay", managerDelay, "how long after they were told managers act, on average")
	flags.IntVar(&cfg.rate, "rate", 40, "how many leads come each working day")
	flags.IntVar(&cfg.days, "days", 5, "on how many days leads come")
	flags.Uint64Var(&cfg.seed, "seed", 1, "another seed is another week")
	return cmd
}

// simulation is what is to be played.
type simulation struct {
	people     []simPerson
	leads      []simLead
	document   []byte
	rate, days int
	// acts is on how many of a hundred leads that a manager is told of they act, delay
	// how long after that on average.
	acts   int
	delay  time.Duration
	seed   uint64
	format string
	start  time.Time
}

// read takes the files, as far as there are any.
func (c *simulation) read(people, leads, document string) (err error) {
	// A Monday without a holiday near, so that days are alike.
	c.start = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	c.people = defaultPeople()
	if people != "" {
		if c.people, err = readFile(people, readPeople); err != nil {
			return err
		}
	}
	if leads != "" {
		if c.leads, err = readFile(leads, readLeads); err != nil {
			return err
		}
		first := c.leads[0].at
		c.start = time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, time.UTC)
		if span := c.leads[len(c.leads)-1].at.Sub(c.start); span > 60*24*time.Hour {
			return fmt.Errorf("%s reaches over %d days; at most 60 can be played", leads, span/(24*time.Hour))
		}
		c.days = int(c.leads[len(c.leads)-1].at.Sub(c.start)/(24*time.Hour)) + 1
	} else {
		c.leads = madeUp(c.start, c.days, c.rate, c.seed)
	}
	if document == "" {
		var handles []string
		for _, p := range c.people {
			handles = append(handles, p.handle)
		}
		c.document = withExampleClock(agreement.Starter(agreement.StarterParams{Zone: "Europe/Berlin", Members: handles}))
		return nil
	}
	if c.document, err = os.ReadFile(document); err != nil {
		return err
	}
	return nil
}

func readFile[T any](path string, read func(io.Reader) ([]T, error)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	out, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// simPlay is what of an agreement's times holds in one play.
type simPlay struct {
	name, buys                      string
	timeOuts, reminders, escalation bool
}

// simPlays are played one after the other, each with one thing more than the last.
var simPlays = []simPlay{
	{name: "without"},
	{name: "time-outs", buys: "time-outs", timeOuts: true},
	{name: "and reminders", buys: "reminders", timeOuts: true, reminders: true},
	{name: "with clocks", buys: "escalation", timeOuts: true, reminders: true, escalation: true},
}

// simulate plays the weeks and shows what came of each.
func simulate(ctx context.Context, out, progress io.Writer, cfg simulation) error {
	var results []simResult
	for _, play := range simPlays {
		fmt.Fprintf(progress, "Playing %s, %s, %s.\n", counted(int64(len(cfg.leads)), "lead", "leads"), counted(int64(len(cfg.people)), "person", "people"), play.name)
		result, err := playWeek(ctx, progress, cfg, play)
		if err != nil {
			return fmt.Errorf("%s: %w", play.name, err)
		}
		result.simPlay = play
		results = append(results, result)
	}
	return writeSimulation(out, cfg, results)
}

func playWeek(ctx context.Context, progress io.Writer, cfg simulation, play simPlay) (simResult, error) {
	dir, err := os.MkdirTemp("", "baton-simulate-")
	if err != nil {
		return simResult{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if !isTerminal(progress) {
		progress = io.Discard
	}
	// The same seed is the same week: who comes first among equals follows from ids.
	data := filepath.Join(dir, "data")
	if err := keys.Foretell(filepath.Join(data, "keys"), sha256.Sum256(fmt.Appendf(nil, "simulate %d", cfg.seed))); err != nil {
		return simResult{}, err
	}
	w := &week{stage: newStage(cfg.start.Add(-time.Hour), progress), cfg: cfg, byTime: map[int64]int{}, leads: map[string]*simTrack{}}
	document, err := playable(cfg.document, w.public(agreement.Marketing), w.public(agreement.Sales), play)
	if err == nil {
		document, err = seated(document, cfg.people)
	}
	if err != nil {
		return simResult{}, err
	}
	if w.agreed, err = agreement.Compile(document); err != nil {
		return simResult{}, fmt.Errorf("the agreement cannot be played:\n%w", err)
	}
	// Who answers within the horizon of the report on answer times is known when that is
	// over for the last lead as well.
	end := cfg.start.AddDate(0, 0, cfg.days).Add(simHorizon)
	if err := w.raise(ctx, Config{Data: data, Console: "-", GRPC: "-", keyDays: cfg.days + 45}, w.hears, w.progressed); err != nil {
		return simResult{}, err
	}
	defer func() { _ = w.app.Stop(context.WithoutCancel(ctx)) }()
	if err := w.begin(ctx, document); err != nil {
		return simResult{}, err
	}
	if err := w.perform(ctx, end); err != nil {
		return simResult{}, err
	}
	if w.turnedAway > 0 {
		return simResult{}, fmt.Errorf("the door turned %s away", counted(int64(w.turnedAway), "lead", "leads"))
	}
	return w.result(), nil
}

// simHorizon is within which time a lead counts as answered at all, as in the report
// on answer times.
const simHorizon = 30 * 24 * time.Hour

// nextPerson is a reason by which a lead goes to somebody else; empty = none is agreed.
func nextPerson(a *agreement.Agreement) string {
	reasons := a.Reasons()
	i := slices.IndexFunc(reasons, func(r agreement.Reason) bool { return r.Consequence == 1 && !r.Credit })
	if i < 0 {
		return ""
	}
	return reasons[i].ID
}
