package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
)

// Moving leads by hand, taking it back, and asking why a lead went where it went.

// movedAtOnce is how many leads of a file one call moves: all calls of a command are one
// move.
const movedAtOnce = 500

func leadReassign() *cobra.Command {
	c := &cobra.Command{
		Use:   "reassign [ID] --reason REASON [--to HANDLE]",
		Short: "Move a lead, or many, to somebody else",
		Long: `Moves a lead, the leads of a file, or all open leads of a person. Without --to they
go to whom the same rules choose next, and not to who has them; with --to they are
offered to that person, whatever they hold already. The reason is one of those that the
agreement lists for moving leads; where it lists none: left, overload, wrong-person,
customer-wish, other.

All leads of one command are one move, with an id; baton lead undo-move takes it back.
A lead that cannot be moved is listed, and the others are moved. If the command is cut
off, the same --idempotency-key goes on where it stopped.` + whoMoves,
		Example: `  baton lead reassign l2c4q… --reason wrong-person --to dan
  baton lead reassign l2c4q… --reason overload --exclude ben --note "back in May"
  baton lead reassign --from dan --reason left --dry-run
  baton lead list --state waiting --format json | jq -r '.leads[].lead_id' | baton lead reassign --file - --reason other`,
		Args: between(0, "ID"),
	}
	flags := c.Flags()
	from := flags.String("from", "", "all open leads of this person")
	file := flags.String("file", "", "the leads of this file, one ID a line; - reads what is piped in")
	to := flags.String("to", "", "who gets them (default whom the rules choose)")
	reason := flags.String("reason", "", "why, by one of the agreed reasons for moving leads")
	exclude := flags.StringSlice("exclude", nil, "who does not get them, by handles separated by commas")
	note := flags.String("note", "", "free text for one lead; sealed")
	dry := flags.Bool("dry-run", false, "only show what would become of each lead")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ways := 0
		for _, given := range []bool{len(args) > 0, *from != "", *file != ""} {
			if given {
				ways++
			}
		}
		switch {
		case ways == 0:
			return misused(cmd, "say which: a lead's ID, --from HANDLE or --file FILE")
		case ways > 1:
			return misused(cmd, "name a lead's ID, --from or --file, one of the three")
		case *reason == "":
			return misused(cmd, "say with --reason why, by one of the agreed reasons for moving leads")
		case *note != "" && len(args) == 0:
			return misused(cmd, "--note goes with one lead")
		}
		return client(func(c *call) error {
			req := &routingv1.BulkReassignRequest{From: *from, To: *to, Reason: *reason, Excluded: *exclude, DryRun: *dry, IdempotencyKey: orNewKey(*key)}
			if len(args) > 0 && !*dry {
				return c.reassign(args[0], req, *note)
			}
			ids := args
			if *file != "" {
				var err error
				if ids, err = idsIn(cmd, *file); err != nil {
					return err
				}
			}
			done, err := c.reassignAll(req, ids)
			if err != nil {
				return err
			}
			return c.moved(done, *dry)
		})(cmd, args)
	}
	return c
}

const whoMoves = `

It takes the role manager or operator.`

func (c *call) reassign(id string, req *routingv1.BulkReassignRequest, note string) error {
	done, err := routingv1.NewRoutingServiceClient(c.conn).Reassign(c.ctx, &routingv1.ReassignRequest{
		LeadId: id, To: req.GetTo(), Reason: req.GetReason(), Excluded: req.GetExcluded(), Note: note, IdempotencyKey: req.GetIdempotencyKey(),
	})
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, done)
	}
	where := "is offered to " + cell(done.GetOfferedTo())
	if done.GetOfferedTo() == "" {
		where = "waits for " + lead.WaitsFor(done.GetBlockedBy())
	}
	_, err = fmt.Fprintf(out, "%s %s now (event %d). baton lead undo-move %s takes it back.\n", cell(id), where, done.GetSequence(), cell(done.GetBatchId()))
	return err
}

// reassignAll moves leads by as many calls as it takes; they are one move, by their key.
func (c *call) reassignAll(req *routingv1.BulkReassignRequest, ids []string) (*routingv1.BulkReassignResponse, error) {
	service := routingv1.NewRoutingServiceClient(c.conn)
	if len(ids) == 0 {
		return c.orRepeat(req)(service.BulkReassign(c.ctx, req))
	}
	all := &routingv1.BulkReassignResponse{}
	for part := range slices.Chunk(ids, movedAtOnce) {
		req.LeadIds = part
		done, err := c.orRepeat(req)(service.BulkReassign(c.ctx, req))
		if err != nil {
			return nil, err
		}
		all.BatchId = done.GetBatchId()
		all.Leads = append(all.Leads, done.GetLeads()...)
		all.Moved += done.GetMoved()
		all.Refused += done.GetRefused()
	}
	return all, nil
}

// orRepeat says how to go on where a call was cut off.
func (c *call) orRepeat(req *routingv1.BulkReassignRequest) func(*routingv1.BulkReassignResponse, error) (*routingv1.BulkReassignResponse, error) {
	return func(done *routingv1.BulkReassignResponse, err error) (*routingv1.BulkReassignResponse, error) {
		if err != nil && !req.GetDryRun() {
			fmt.Fprintf(c.cmd.ErrOrStderr(), "What was moved stays moved; the same command with --idempotency-key %s goes on where this one stopped.\n", cell(req.GetIdempotencyKey()))
		}
		return done, err
	}
}

// movedShown is how many moved leads a table shows; what was refused is shown in full.
const movedShown = 50

func (c *call) moved(done *routingv1.BulkReassignResponse, dry bool) error {
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, done)
	}
	would := ""
	if dry {
		would = "would be "
	}
	t := table{head: []string{"LEAD", "FROM", "TO", "NOT MOVED, BECAUSE"}}
	more := 0
	for _, m := range done.GetLeads() {
		to := m.GetTo()
		switch {
		case m.GetRefused() != "":
			to = "-"
		case more >= movedShown:
			more++
			continue
		case to == "":
			to = "in line, for " + lead.WaitsFor(m.GetBlockedBy())
		}
		if m.GetRefused() == "" {
			more++
		}
		t.add(m.GetLeadId(), dash(m.GetFrom()), to, dash(m.GetRefused()))
	}
	if len(done.GetLeads()) == 0 {
		_, err := fmt.Fprintln(out, "They hold no open lead; nothing was moved.")
		return err
	}
	if err := t.write(out); err != nil {
		return err
	}
	if more > movedShown {
		fmt.Fprintf(out, "and %d more; --format json shows all.\n", more-movedShown)
	}
	fmt.Fprintf(out, "%s %smoved, %d not.", counted(done.GetMoved(), "lead", "leads"), would, done.GetRefused())
	if !dry && done.GetMoved() > 0 {
		fmt.Fprintf(out, " baton lead undo-move %s takes it back.", cell(done.GetBatchId()))
	}
	_, err := fmt.Fprintln(out)
	return err
}

// idsIn reads IDs, one a line; empty lines and those that begin with # are left out.
func idsIn(cmd *cobra.Command, path string) (ids []string, err error) {
	var in io.Reader = cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, misused(cmd, "--file cannot be read: %v", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if id := strings.TrimSpace(lines.Text()); id != "" && !strings.HasPrefix(id, "#") {
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, misused(cmd, "--file cannot be read: %v", err)
	}
	if len(ids) == 0 {
		return nil, misused(cmd, "--file names no lead; write one ID a line")
	}
	return ids, nil
}

func leadUndoMove() *cobra.Command {
	c := &cobra.Command{
		Use:   "undo-move MOVE",
		Short: "Take a move back: whoever had the leads has them again",
		Long: `Takes a move back. What somebody had accepted is theirs again, without a new clock;
what they were offered is offered to them again; what waited goes back to its place in
the line. A lead that somebody has accepted, declined or moved since stays where it is
and is listed.` + whoMoves,
		Example: `  baton lead undo-move b2c4q…`,
		Args:    exactly("MOVE"),
	}
	reason := c.Flags().String("reason", "", "why, by one of the agreed reasons for moving leads (default that it is undone)")
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		done, err := routingv1.NewRoutingServiceClient(c.conn).UndoReassign(c.ctx, &routingv1.UndoReassignRequest{BatchId: c.args[0], Reason: *reason, IdempotencyKey: orNewKey(*key)})
		if err != nil {
			return err
		}
		return c.moved(done, false)
	})
	return c
}

func leadClaim() *cobra.Command {
	c := &cobra.Command{
		Use:   "claim [ID]",
		Short: "Take a waiting lead of a pool whose leads are claimed",
		Long: `Takes a waiting lead of a pool that gives its leads to whoever claims them: the one
that is named, or the oldest that you may claim.` + whoActs,
		Example: `  BATON_TOKEN=baton_… baton lead claim`,
		Args:    between(0, "ID"),
	}
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		req := &routingv1.ClaimRequest{IdempotencyKey: orNewKey(*key)}
		if len(c.args) > 0 {
			req.LeadId = c.args[0]
		}
		done, err := routingv1.NewRoutingServiceClient(c.conn).Claim(c.ctx, req)
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeMessage(c.cmd.OutOrStdout(), done)
		}
		_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%s is yours (event %d).\n", cell(done.GetLeadId()), done.GetSequence())
		return err
	})
	return c
}

func leadWhy() *cobra.Command {
	c := &cobra.Command{
		Use:   "why ID [--member HANDLE]",
		Short: "Why a lead went to whom it went, and to nobody else",
		Long: `Says why a lead was last given as it was: the sentence that the decision recorded, and
for everybody who was considered why they did not get it. With --member: every decision
on the lead at which that person was considered.`,
		Example: `  baton lead why l2c4q…
  baton lead why l2c4q… --member ana`,
		Args: exactly("ID"),
	}
	member := c.Flags().String("member", "", "only this person, over all decisions on the lead")
	c.RunE = client(aLead(func(c *call) error {
		if *member != "" {
			return c.whyNot(&routingv1.WhyNotRequest{Member: *member, LeadId: c.args[0], PageSize: mostAtOnce})
		}
		l, err := leadv1.NewLeadServiceClient(c.conn).GetLead(c.ctx, &leadv1.GetLeadRequest{LeadId: c.args[0]})
		if err != nil {
			return err
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return c.explainJSON(nil, l)
		}
		if l.GetRoutingSummary() == "" {
			_, err := fmt.Fprintf(out, "Lead %s was given to nobody yet; it is %s.\n", cell(l.GetLeadId()), lead.StateWord(l.GetState()))
			return err
		}
		fmt.Fprintln(out, cell(l.GetRoutingSummary()))
		got := holderOfOffer(l)
		t := table{head: []string{"WHO ELSE", "WHY NOT", "OPEN LEADS", "TURNS", "WEIGHT"}, most: 60}
		for _, m := range l.GetConsidered() {
			if m.GetMember() == got {
				continue
			}
			t.add(m.GetMember(), whyElse(m), loadOf(m), strconv.FormatInt(m.GetTurns(), 10), strconv.FormatInt(m.GetWeight(), 10))
		}
		if len(t.rows) == 0 {
			return nil
		}
		if err := t.write(out); err != nil {
			return err
		}
		return writeUnnamed(out, l)
	}))
	return c
}

// holderOfOffer is to whom the last decision gave a lead; empty = to nobody.
func holderOfOffer(l *leadv1.Lead) string {
	if l.GetOwner() != "" {
		return l.GetOwner()
	}
	return l.GetOfferedTo()
}

// whyElse is why somebody who was considered did not get a lead.
func whyElse(m *leadv1.Candidate) string {
	switch {
	case m.GetText() != "":
		return m.GetText()
	case m.GetReason() != "":
		return lead.WhyNot(m.GetReason())
	case m.GetWindowTo() > 0:
		due := fmt.Sprintf("could have taken it; due by turn %d", m.GetWindowTo())
		if m.GetLevel() {
			due += ", owed exactly as much, with a later lot"
		}
		return due
	}
	return "could have taken it"
}

func loadOf(m *leadv1.Candidate) string {
	load := strconv.FormatInt(m.GetLoad(), 10)
	if m.GetCapacity() > 0 {
		load += " of " + strconv.FormatInt(m.GetCapacity(), 10)
	}
	return load
}

func peopleWhyNot() *cobra.Command {
	c := &cobra.Command{
		Use:   "why-not [HANDLE]",
		Short: "Why leads did not go to a person",
		Long: `Counts the decisions at which a person was considered, how many leads they could have
taken and how many they were offered, and why they did not get the others, as the
decisions recorded it. Without HANDLE: whoever calls. Without --from: the last seven
days.`,
		Example: `  baton people why-not ana
  baton people why-not ana --from 2026-03-01 --to 2026-04-01 --format json`,
		Args: between(0, "HANDLE"),
	}
	flags := c.Flags()
	flags.String("from", "", "decisions from then on (default seven days ago)")
	flags.String("to", "", "decisions until then (default now)")
	onLead := flags.String("lead", "", "only this lead")
	limit := flags.Int32("limit", 20, "show at most so many decisions")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *limit < 1 || *limit > mostAtOnce {
			return misused(cmd, "--limit is %d; it must be from 1 to %d", *limit, mostAtOnce)
		}
		req := &routingv1.WhyNotRequest{LeadId: *onLead, PageSize: *limit}
		if len(args) > 0 {
			req.Member = args[0]
		}
		var err error
		if req.From, req.To, err = spanFlags(cmd); err != nil {
			return err
		}
		return client(func(c *call) error { return c.whyNot(req) })(cmd, args)
	}
	return c
}

func (c *call) whyNot(req *routingv1.WhyNotRequest) error {
	why, err := routingv1.NewRoutingServiceClient(c.conn).WhyNot(c.ctx, req)
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, why)
	}
	least := ""
	if slices.ContainsFunc(why.GetReasons(), func(r *routingv1.WhyNotCount) bool { return r.GetReason() == lead.NotNamed }) {
		least = "at least "
	}
	fmt.Fprintf(out, "%s was considered at %s, could have taken %s%s and was offered %d.\n", cell(why.GetMember()),
		counted(why.GetConsidered(), "decision", "decisions"), least, counted(why.GetEligible(), "lead", "leads"), why.GetOffered())
	if len(why.GetReasons()) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	reasons := table{head: []string{"DECISIONS", "BECAUSE"}}
	for _, r := range why.GetReasons() {
		reasons.add(strconv.FormatInt(r.GetDecisions(), 10), lead.WhyNot(r.GetReason()))
	}
	if err := reasons.write(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t := table{head: []string{"DECIDED", "LEAD", "WENT TO", "WHY"}, most: 70}
	for _, d := range why.GetDecisions() {
		t.add(stamp(d.GetAt()), d.GetLeadId(), dash(d.GetOfferedTo()), d.GetText())
	}
	return t.write(out)
}

func peopleAdjust() *cobra.Command {
	c := &cobra.Command{
		Use:   "adjust HANDLE --pool POOL --leads N --reason TEXT",
		Short: "Change what a person is owed in a pool's rotation",
		Long: `Changes a person's books in one rotation, for somebody who joins or comes back: so many
leads they are owed from now on, beside what they are owed already. Below zero: they are
ahead by so many. It stands in the log with the reason.` + whoMoves,
		Example: `  baton people adjust ana --pool inside-sales --leads 3 --reason "back from parental leave"
  baton people adjust dan --pool inside-sales --leads=-2 --reason "began with leads of the fair"`,
		Args: exactly("HANDLE"),
	}
	flags := c.Flags()
	pool := flags.String("pool", "", "the pool")
	leads := flags.Int64("leads", 0, "leads that they are owed; below zero: that they are ahead")
	reason := flags.String("reason", "", "why")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *pool == "":
			return misused(cmd, "say with --pool in which rotation")
		case *leads == 0:
			return misused(cmd, "say with --leads by how many")
		case strings.TrimSpace(*reason) == "":
			return misused(cmd, "say with --reason why")
		}
		return client(func(c *call) error {
			m, err := routingv1.NewRoutingServiceClient(c.conn).AdjustTurns(c.ctx, &routingv1.AdjustTurnsRequest{Member: c.args[0], Pool: *pool, Leads: *leads, Reason: *reason, IdempotencyKey: orNewKey(*key)})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), m)
			}
			more, n := "more", *leads
			if n < 0 {
				more, n = "fewer", -n
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%s is owed %s %s in pool %s from now on, and is %s.\n", cell(m.GetMember()), counted(n, "lead", "leads"), more, cell(*pool), aheadText(m.GetAhead()[*pool]))
			return err
		})(cmd, args)
	}
	return c
}

// aheadText says thousandths of a lead that somebody is ahead of their share, or behind.
func aheadText(thousandths int64) string {
	word := "ahead of"
	if thousandths < 0 {
		thousandths, word = -thousandths, "behind"
	}
	tenths := (thousandths + 50) / 100
	if tenths == 0 {
		return "level with their share now"
	}
	return fmt.Sprintf("%d.%d leads %s their share now", tenths/10, tenths%10, word)
}
