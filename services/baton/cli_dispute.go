package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

func disputeCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "dispute",
		GroupID: groupWork,
		Short:   "What one side holds against the other, settled on what was handed over",
		Long: `A dispute is a case with a number, two sides and an arbiter. It shows the lead as it was
when it was handed over, criterion by criterion, whatever became of it since.

  baton dispute open ID            hold a handoff against the other side
  baton dispute answer CASE        say as the other side whether it is so
  baton dispute decide CASE        close it with a verdict, for good
  baton dispute draw --from TIME   draw a sample of handoffs for review
  baton dispute review             go through what was drawn, a key or two a lead

What a verdict leads to is proposed with baton agreement propose FILE --dispute CASE.`,
	}, disputeOpen(), disputeAnswer(), disputeDecide(), disputeShow(), disputeList(), disputeDraw(), disputeReview())
}

// claims are what can be claimed, by their words.
var claims = map[string]leadv1.DisputeClaim{
	"not-as-agreed": leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED,
	"not-worked":    leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED,
	"wrong-data":    leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA,
}

func disputeOpen() *cobra.Command {
	c := &cobra.Command{
		Use:   "open ID",
		Short: "Hold a handoff against the other side",
		Long: `Opens a case on a lead's last handoff, or on that of --offer. Sales claims that the lead
was not as agreed, marketing that nobody worked it, either that its data is wrong.
--criterion says which criteria of that handoff are contested.` + whoActs,
		Example: `  baton dispute open l2c4q… --criterion size --note "two people, not eighty"
  baton dispute open l2c4q… --claim wrong-data`,
		Args: exactly("ID"),
	}
	flags := c.Flags()
	claim := flags.String("claim", "", "not-as-agreed, not-worked or wrong-data (default what your department can claim)")
	criteria := flags.StringSlice("criterion", nil, "contested criteria, by their ids separated by commas")
	offer := flags.Int32("offer", 0, "number of the offer (default the last one)")
	note := flags.String("note", "", "free text; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if claims[*claim] == 0 && *claim != "" {
			return misused(cmd, "--claim is %q; it can be not-as-agreed, not-worked or wrong-data", *claim)
		}
		if *offer < 0 {
			return misused(cmd, "--offer is %d; offers are numbered from 1", *offer)
		}
		return client(func(c *call) error {
			d, err := feedbackv1.NewFeedbackServiceClient(c.conn).OpenDispute(c.ctx, &feedbackv1.OpenDisputeRequest{
				LeadId: args[0], Claim: claims[*claim], Criteria: *criteria, Offer: *offer, Note: *note, IdempotencyKey: orNewKey(*key),
			})
			return c.disputed(d, err, "Case %s is open; "+decider(d)+"\n")
		})(cmd, args)
	}
	return c
}

// decider says who decides a case, and when they are told.
func decider(d *feedbackv1.Dispute) string {
	who := "whoever has the role arbiter decides it."
	if a := d.GetOpened().GetArbiter(); a != "" {
		who = a + " decides it."
	}
	if at := d.GetOpened().GetEscalateAt(); at != nil {
		who = strings.TrimSuffix(who, ".") + ", and is told on " + stamp(at) + " if nobody has."
	}
	return strings.ReplaceAll(cell(who), "%", "%%")
}

func disputeAnswer() *cobra.Command {
	c := &cobra.Command{
		Use:   "answer CASE --agree|--contest",
		Short: "Say as the other side whether it is so",
		Long: `Answers a case for the side that it is held against. What both sides say alike either of
them can close with a verdict; what is contested the arbiter decides.` + whoActs,
		Example: `  baton dispute answer l2c4qxyzabcd-1 --agree
  baton dispute answer l2c4qxyzabcd-1 --contest --note "eighty, as of their web page"`,
		Args: exactly("CASE"),
	}
	agree := c.Flags().Bool("agree", false, "it is so")
	contest := c.Flags().Bool("contest", false, "it is not")
	note := c.Flags().String("note", "", "free text; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *agree == *contest {
			return misused(cmd, "say one of --agree and --contest")
		}
		return client(func(c *call) error {
			d, err := feedbackv1.NewFeedbackServiceClient(c.conn).AnswerDispute(c.ctx, &feedbackv1.AnswerDisputeRequest{DisputeId: args[0], Agrees: *agree, Note: *note, IdempotencyKey: orNewKey(*key)})
			if *agree {
				return c.disputed(d, err, "Case %s is agreed; either side can close it with a verdict.\n")
			}
			return c.disputed(d, err, "Case %s is contested; "+decider(d)+"\n")
		})(cmd, args)
	}
	return c
}

// verdictsSaid are the verdicts as a flag takes them.
func verdictsSaid() (words []string, byWord map[string]leadv1.DisputeVerdict) {
	byWord = map[string]leadv1.DisputeVerdict{}
	for _, r := range lead.Rulings() {
		words = append(words, lead.VerdictWord(r.Verdict))
		byWord[lead.VerdictWord(r.Verdict)] = r.Verdict
	}
	return words, byWord
}

func disputeDecide() *cobra.Command {
	words, byWord := verdictsSaid()
	var meant strings.Builder
	for _, r := range lead.Rulings() {
		fmt.Fprintf(&meant, "  %-24s %s\n", lead.VerdictWord(r.Verdict), r.Text)
	}
	c := &cobra.Command{
		Use:   "decide CASE --verdict VERDICT [--criterion ID]",
		Short: "Close a case with a verdict, for good",
		Long: `Closes a case. The verdicts are:

` + meant.String() + `
The first three are about a criterion of the handoff. Against whom the finding is
follows from the verdict. There is no way back and no deletion; where there is
something new another case is opened. The arbiter decides, and of what both sides say
alike either of them.` + whoActs,
		Example: `  baton dispute decide l2c4qxyzabcd-1 --verdict criterion-missing --criterion size
  baton dispute decide l2c4qxyzabcd-1 --verdict met-not-worked`,
		Args: exactly("CASE"),
	}
	verdict := c.Flags().String("verdict", "", strings.Join(words, ", "))
	criterion := c.Flags().String("criterion", "", "criterion that the verdict is about")
	note := c.Flags().String("note", "", "free text; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if byWord[*verdict] == 0 {
			return misused(cmd, "--verdict is %q; it can be %s", *verdict, strings.Join(words, ", "))
		}
		return client(func(c *call) error {
			d, err := feedbackv1.NewFeedbackServiceClient(c.conn).DecideDispute(c.ctx, &feedbackv1.DecideDisputeRequest{
				DisputeId: args[0], Verdict: byWord[*verdict], Criterion: *criterion, Note: *note, IdempotencyKey: orNewKey(*key),
			})
			return c.disputed(d, err, "Case %s is decided: a finding against "+d.GetDecided().GetFinding()+".\n")
		})(cmd, args)
	}
	return c
}

func (c *call) disputed(d *feedbackv1.Dispute, err error, said string) error {
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, d)
	}
	_, err = fmt.Fprintf(out, said, cell(d.GetDisputeId()))
	return err
}

func disputeShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show CASE",
		Short: "Show a case, with the lead as it was handed over",
		Long: `Shows a case: who claims what, what the other side says, the lead as it was at the
handoff with every criterion, what was done with it since, and which verdicts suggest
themselves. Notes are shown to those who work with leads and to the arbiter.`,
		Example: `  baton dispute show l2c4qxyzabcd-1
  baton dispute show l2c4qxyzabcd-1 --format json`,
		Args: exactly("CASE"),
		RunE: client(func(c *call) error {
			d, err := feedbackv1.NewFeedbackServiceClient(c.conn).GetDispute(c.ctx, &feedbackv1.GetDisputeRequest{DisputeId: c.args[0]})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, d)
			}
			if err := writeDispute(out, d); err != nil {
				return err
			}
			return writeEvidence(out, d)
		}),
	}
}

func writeDispute(w io.Writer, d *feedbackv1.Dispute) error {
	o, notes := d.GetOpened(), append(append([]string(nil), d.GetNotes()...), "", "", "")
	var f facts
	f.add("case", d.GetDisputeId()+", "+d.GetState())
	f.add("lead", d.GetLeadId())
	f.add("claim", claimText(o))
	f.add("opened", stamp(d.GetOpenedAt())+" by "+d.GetOpenedBy()+" for "+o.GetParty())
	f.add("contested", strings.Join(o.GetCriteria(), ", "))
	f.add("note", notes[0])
	f.add("arbiter", o.GetArbiter())
	if a := d.GetAnswered(); a != nil {
		f.add("answer", a.GetParty()+" "+map[bool]string{true: "says so as well", false: "contests it"}[a.GetAgrees()])
		f.add("note", notes[1])
	}
	for _, e := range d.GetEscalated() {
		f.add("told", fmt.Sprintf("%s on %s (step %d)", e.GetTo(), stamp(e.GetFiredAt()), e.GetStep()))
	}
	if v := d.GetDecided(); v != nil {
		said := lead.VerdictWord(v.GetVerdict())
		if v.GetCriterion() != "" {
			said += " of " + v.GetCriterion()
		}
		if v.GetQuestionnaireVersion() != "" {
			said += ", questionnaire " + v.GetQuestionnaireVersion()
		}
		f.add("verdict", said+"; a finding against "+v.GetFinding())
		f.add("decided", stamp(d.GetDecidedAt())+" by "+v.GetBy())
		f.add("note", notes[2])
	}
	for _, version := range d.GetLedTo() {
		f.add("led to", fmt.Sprintf("version %d of the agreement", version))
	}
	return f.write(w)
}

func claimText(o *leadv1.DisputeOpened) string {
	return fmt.Sprintf("%s, on offer %d", lead.ClaimWord(o.GetClaim()), o.GetOffer())
}

// writeEvidence shows the lead as it was handed over. Each criterion has the letter by
// which a review names it.
func writeEvidence(w io.Writer, d *feedbackv1.Dispute) error {
	e := d.GetEvidence()
	fmt.Fprintf(w, "\nAs it was handed over, %s, at event %d of the log:\n", stamp(e.GetHandedAt()), d.GetOpened().GetHandoffSequence())
	var f facts
	f.add("stage", fmt.Sprintf("%s, by version %d of the agreement", lead.StageWord(e.GetStage()), e.GetAgreementVersion()))
	f.add("handed to", e.GetMember()+" in "+e.GetPool())
	f.add("questionnaire", e.GetQuestionnaireVersion())
	f.add("why", e.GetExplanation().GetSummary())
	touched := "nobody has touched it"
	if n := e.GetTouches(); n > 0 {
		touched = counted(n, "touch", "touches") + ", the first on " + stamp(e.GetFirstTouchAt())
	}
	f.add("since then", touched)
	f.add("rejected as", e.GetReason())
	f.add("digest", fmt.Sprintf("%x", e.GetDigest()))
	if err := f.write(w); err != nil {
		return err
	}
	if len(e.GetExplanation().GetCriteria()) > 0 {
		fmt.Fprintln(w)
		t := table{head: []string{"", "CRITERION", "HELD", "POINTS", "FOUND", "ASKS"}, most: 48}
		for i, c := range e.GetExplanation().GetCriteria() {
			var found []string
			for _, v := range c.GetValues() {
				found = append(found, v.GetName()+" "+orDash(v.GetValue()))
			}
			points := fmt.Sprint(c.GetPoints())
			if c.GetMust() {
				points = "must"
			}
			t.add(lettered(i), c.GetId(), map[bool]string{true: "yes", false: "no"}[c.GetMet()], points, dash(strings.Join(found, ", ")), c.GetText())
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	if len(e.GetHints()) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nWhat suggests itself:")
	for i, h := range e.GetHints() {
		about := ""
		if h.GetCriterion() != "" {
			about = " " + h.GetCriterion()
		}
		fmt.Fprintf(w, "  %d  %s%s: %s\n", i+1, lead.VerdictWord(h.GetVerdict()), cell(about), cell(h.GetText()))
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// lettered names a criterion in a review.
func lettered(i int) string {
	if i >= 26 {
		return ""
	}
	return string(rune('a' + i))
}

func disputeList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List cases, the one first that waits longest",
		Long:  `Lists the cases that are not decided, the one first that waits longest.`,
		Example: `  baton dispute list
  baton dispute list --decided --format json`,
		Args: exactly(),
	}
	decided := c.Flags().Bool("decided", false, "decided ones as well")
	review := c.Flags().Bool("review", false, "only those that were drawn for review")
	c.RunE = client(func(c *call) error {
		all, err := c.disputes(&feedbackv1.ListDisputesRequest{Decided: *decided, Review: *review})
		if err != nil {
			return err
		}
		return c.listDisputes(all, "No case is open.")
	})
	return c
}

// disputes lists all cases that are asked for.
func (c *call) disputes(req *feedbackv1.ListDisputesRequest) (*feedbackv1.ListDisputesResponse, error) {
	all := &feedbackv1.ListDisputesResponse{}
	for req.PageSize = mostAtOnce; ; {
		page, err := feedbackv1.NewFeedbackServiceClient(c.conn).ListDisputes(c.ctx, req)
		if err != nil {
			return nil, err
		}
		all.Disputes = append(all.Disputes, page.GetDisputes()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return all, nil
		}
	}
}

func (c *call) listDisputes(all *feedbackv1.ListDisputesResponse, none string) error {
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, all)
	}
	if len(all.GetDisputes()) == 0 {
		_, err := fmt.Fprintln(out, none)
		return err
	}
	t := table{head: []string{"CASE", "STATE", "CLAIM", "BY", "OPENED", "ARBITER", "VERDICT", "AGAINST", "LEAD"}}
	for _, d := range all.GetDisputes() {
		verdict := ""
		if v := d.GetDecided(); v != nil {
			verdict = lead.VerdictWord(v.GetVerdict())
		}
		t.add(d.GetDisputeId(), d.GetState(), claimText(d.GetOpened()), d.GetOpened().GetParty(), stamp(d.GetOpenedAt()), dash(d.GetOpened().GetArbiter()), dash(verdict), dash(d.GetDecided().GetFinding()), d.GetLeadId())
	}
	return t.write(out)
}

func disputeDraw() *cobra.Command {
	c := &cobra.Command{
		Use:   "draw --from TIME [--to TIME] [--size N] [--seed N]",
		Short: "Draw a sample of handoffs for review",
		Long: `Opens a case for each of a sample of the leads that were handed over in a period. Which
ones follows from the seed and the leads' ids, so that nobody chooses them; the same
draw once more opens none twice. It takes the role arbiter, manager or operator.`,
		Example: `  baton dispute draw --from 2026-03-02 --to 2026-03-09
  baton dispute draw --from 2026-03-02 --size 20 --seed 12`,
		Args: exactly(),
	}
	flags := c.Flags()
	flags.String("from", "", "handoffs from then on")
	flags.String("to", "", "handoffs before then (default now)")
	size := flags.Int32("size", 0, "how many, up to 100 (default as many as are agreed, or 10)")
	seed := flags.Int64("seed", 0, "names the draw; another seed is another sample")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &feedbackv1.DrawReviewRequest{Size: *size, Seed: *seed}
		var err error
		if req.From, err = instantFlag(cmd, "from"); err != nil {
			return err
		}
		if req.To, err = instantFlag(cmd, "to"); err != nil {
			return err
		}
		switch {
		case req.From == nil:
			return misused(cmd, "say with --from from when on the handoffs count")
		case *size < 0 || *size > 100:
			return misused(cmd, "--size is %d; it can be 1 to 100", *size)
		}
		return client(func(c *call) error {
			drawn, err := feedbackv1.NewFeedbackServiceClient(c.conn).DrawReview(c.ctx, req)
			if err != nil {
				return err
			}
			return c.listDisputes(drawn, "Nothing was handed over in that time.")
		})(cmd, args)
	}
	return c
}
