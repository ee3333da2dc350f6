package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

func clockCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "clock",
		GroupID: groupWork,
		Short:   "The agreement's clocks: what runs out next, and what has",
		Long: `Shows the clocks of the agreement as they run on open leads.

  baton clock list               what runs out next, the first first
  baton clock list --breached    what has run out and still runs
  baton lead clocks ID           all clocks of one lead`,
	}, clockList())
}

func clockList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the running clocks of open leads, the one first that runs out first",
		Long: `Lists the running clocks of open leads, the one first that runs out first. One that
stands still, such as for a lead in a waiting line, runs out at no known time and is
not among them; baton lead clocks ID shows it.`,
		Example: `  baton clock list
  baton clock list --breached --limit 200`,
		Args: exactly(),
	}
	breached := c.Flags().Bool("breached", false, "only those that have run out")
	limit := c.Flags().Int("limit", 50, "at most so many, up to 500")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *limit < 1 || *limit > mostAtOnce {
			return misused(cmd, "--limit is %d; it must be 1 to %d", *limit, mostAtOnce)
		}
		return client(func(c *call) error {
			none := "No clock runs that will run out."
			if *breached {
				none = "No clock has run out and still runs."
			}
			return c.clocks(&routingv1.ListClocksRequest{Breached: *breached, PageSize: int32(*limit)}, none)
		})(cmd, args)
	}
	return c
}

func leadClocks() *cobra.Command {
	return &cobra.Command{
		Use:   "clocks ID",
		Short: "The clocks of one lead: what ran, what runs, and until when",
		Long: `Shows every run of every clock on one lead: the time on it, when it runs out or ran
out, and when it stopped. Where something became known late, FIRST READ is what the
clock had read before. Below is how long the lead has waited with marketing and with
sales: the time in which at least one clock of theirs counted, several at once as one.`,
		Example: `  baton lead clocks l2c4q…`,
		Args:    exactly("ID"),
		RunE: client(func(c *call) error {
			return c.clocks(&routingv1.ListClocksRequest{LeadId: c.args[0], PageSize: mostAtOnce}, "No clock has run on this lead.")
		}),
	}
}

func (c *call) clocks(req *routingv1.ListClocksRequest, none string) error {
	list, err := routingv1.NewRoutingServiceClient(c.conn).ListClocks(c.ctx, req)
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, list)
	}
	return writeClocks(out, list, req.GetLeadId() == "", none)
}

func writeClocks(w io.Writer, list *routingv1.ListClocksResponse, leads bool, none string) error {
	if len(list.GetClocks()) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	t := table{head: []string{"CLOCK", "SIDE", "WITH", "LIMIT", "USED (H)", "FIRST READ (H)", "RUNS OUT", "NOW"}}
	if leads {
		t.head = append([]string{"LEAD"}, t.head...)
	}
	for _, one := range list.GetClocks() {
		name := one.GetTitle()
		if n := one.GetRef().GetRun(); n > 1 {
			name = fmt.Sprintf("%s (%d)", name, n)
		}
		row := []string{
			name, one.GetDepartment(), dash(one.GetMember()), onClock(one.GetLimit()) + " " + kindOfTime(one), onClock(one.GetSpent()), dash(onClock(one.GetFirstSpent())),
			dash(stamp(one.GetDueAt())), clockStands(one),
		}
		if leads {
			row = append([]string{one.GetLeadId()}, row...)
		}
		t.add(row...)
	}
	if err := t.write(w); err != nil || leads {
		return err
	}
	_, err := fmt.Fprintf(w, "\nWaited with marketing %s h, with sales %s h.\n", onClock(list.GetWaitedMarketing()), onClock(list.GetWaitedSales()))
	return err
}

// onClock is a time in hours and minutes; empty = none is said.
func onClock(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	v := d.AsDuration()
	return fmt.Sprintf("%d:%02d", v/time.Hour, v%time.Hour/time.Minute)
}

func kindOfTime(c *routingv1.Clock) string {
	if c.GetWorking() {
		return "h of work"
	}
	return "h"
}

func clockStands(c *routingv1.Clock) string {
	s := "runs"
	switch {
	case c.GetStoppedAt() != nil:
		s = "stopped " + stamp(c.GetStoppedAt())
	case c.GetPaused():
		s = "stands still"
	}
	switch {
	case c.GetBreached() && c.GetStep() > 0:
		s += fmt.Sprintf("; ran out, step %d taken", c.GetStep())
	case c.GetBreached():
		s += "; ran out"
	}
	return s
}
