package main

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/fault"
)

func targetCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "target",
		GroupID: groupSet,
		Short:   "What both departments want of a quarter",
		Long: `Targets of a quarter: how much of one outcome of the funnel it is to bring, by which
version of the agreement it is counted, of which leads, and who answers for it in each
department. They hold once both parties have signed them with their keys.`,
	}, targetPropose(), targetSign(), targetShow(), targetLedger())
}

func targetPropose() *cobra.Command {
	c := &cobra.Command{
		Use:   "propose QUARTER --file FILE | --target id=…,…",
		Short: "Put the targets of a quarter on the table",
		Long: `Proposes all targets of a quarter. They take the place of those before once both
parties have signed them; until then nothing changes. A target counts what comes of
the work: mql, sal, sql, accepted, won or won-value. What people do (calls, mails,
press releases) is not an outcome and is refused.

The file lists them:

  targets:
    - id: mql-de
      outcome: mql
      count: 120
      definition: 1
      segment: lead.country == "DE"
      marketing: mia
      sales: sam
    - id: revenue
      outcome: won-value
      value: 250000
      currency: EUR
      marketing: mia
      sales: sam

definition is the version of the agreement by whose definition a lead counts (default
the one in force), segment a condition of that version (default all leads), parent
another target of the same outcome that this one is a part of.`,
		Example: `  baton target propose 2026-q4 --file targets.yaml --why "as in the budget"
  baton target propose 2026-q4 --target id=mql-de,outcome=mql,count=120,marketing=mia,sales=sam`,
		Args: exactly("QUARTER"),
	}
	flags := c.Flags()
	file := flags.String("file", "", "file that lists the targets")
	inline := flags.StringArray("target", nil, "a target, as id=…,outcome=…,count=…; may be given more than once")
	why := flags.String("why", "", "why")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		from := &targetFile{}
		switch {
		case *file == "" && len(*inline) == 0:
			return misused(cmd, "say with --file or --target what the quarter is to bring")
		case *file != "" && len(*inline) > 0:
			return misused(cmd, "--file and --target do not go together: one proposal names all targets")
		case *file != "":
			var err error
			if from, err = readTargets(*file); err != nil {
				return err
			}
		}
		for _, text := range *inline {
			one, err := targetOf(text)
			if err != nil {
				return misused(cmd, "%s", err.Error())
			}
			from.Targets = append(from.Targets, one)
		}
		if *why != "" {
			from.Why = *why
		}
		return client(func(c *call) error { return c.proposeTargets(from, orNewKey(*key)) })(cmd, args)
	}
	return c
}

func (c *call) feedback() feedbackv1.FeedbackServiceClient {
	return feedbackv1.NewFeedbackServiceClient(c.conn)
}

func (c *call) proposeTargets(from *targetFile, key string) error {
	req := &feedbackv1.ProposeTargetsRequest{Quarter: c.args[0], IdempotencyKey: key, Why: from.Why}
	definition := int64(0)
	for i := range from.Targets {
		one, err := from.Targets[i].target(definition)
		if err != nil {
			return err
		}
		if one.GetDefinition() == 0 {
			a, err := agreementv1.NewAgreementServiceClient(c.conn).GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{})
			if err != nil {
				return err
			}
			definition = a.GetVersion()
			one.Definition = definition
		}
		req.Targets = append(req.Targets, one)
	}
	q, err := c.feedback().ProposeTargets(c.ctx, req)
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, q)
	}
	proposed, text := waitingTargets(q)
	_, err = fmt.Fprintf(out, `Proposed. They are no targets before both parties have signed:

%s
SHA-256 %x

  baton target sign %[3]s --as marketing --key marketing.key
  baton target sign %[3]s --as sales --key sales.key
`, indent(text), proposed.GetDigest(), q.GetQuarter())
	return err
}

// waitingTargets are the targets that signatures are missing for, with their text; nil =
// none are.
func waitingTargets(q *feedbackv1.Quarter) (*feedbackv1.TargetsProposed, string) {
	switch {
	case q.GetNext() != nil:
		return q.GetNext(), q.GetNextText()
	case !q.GetAgreed():
		return q.GetProposed(), q.GetText()
	}
	return nil, ""
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(plain(text), "\n"), "\n", "\n  ") + "\n"
}

func targetSign() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign QUARTER --as marketing|sales --key FILE",
		Short: "Sign the targets of a quarter for one party",
		Long: `Fetches the targets that were proposed last, checks that their text is the one that
the digest names, shows it, and signs the digest with the party's key: the same key
that signs the agreement. The key stays on this machine.

While a target of an earlier quarter that was closed has been missed and nobody has a
plan for it, nobody signs: baton quarter recover comes first.`,
		Example: `  baton target show 2026-q4
  baton target sign 2026-q4 --as sales --key sales.key`,
		Args: exactly("QUARTER"),
	}
	party := c.Flags().String("as", "", "party that signs: marketing or sales")
	keyFile := c.Flags().String("key", "", "file that holds the party's key")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := partyKey(cmd, *party, *keyFile)
		if err != nil {
			return err
		}
		return client(func(c *call) error { return c.signTargets(*party, key) })(cmd, args)
	}
	return c
}

func (c *call) signTargets(party string, key ed25519.PrivateKey) error {
	list, err := c.feedback().ListQuarters(c.ctx, &feedbackv1.ListQuartersRequest{})
	if err != nil {
		return err
	}
	var q *feedbackv1.Quarter
	for _, one := range list.GetQuarters() {
		if one.GetQuarter() == c.args[0] {
			q = one
		}
	}
	if q == nil {
		return fault.New(fault.NotFound, "nobody has proposed targets for %s; baton target propose %[1]s does", c.args[0])
	}
	proposed, text := waitingTargets(q)
	if proposed == nil {
		return fault.New(fault.State, "both parties have signed the targets of %s already", q.GetQuarter())
	}
	// What is signed is what is shown: the text made here of the targets themselves.
	digest := feedback.TargetsDigest(proposed)
	if text != feedback.TargetsText(proposed) || !bytes.Equal(digest, proposed.GetDigest()) {
		return fault.New(fault.Corrupt, "the targets of %s are not those that their digest names; nothing was signed", q.GetQuarter())
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatTable {
		fmt.Fprintf(out, "Signing for %s:\n\n%s\nSHA-256 %x\n", party, indent(text), digest)
	}
	q, err = c.feedback().SignTargets(c.ctx, &feedbackv1.SignTargetsRequest{
		Quarter: q.GetQuarter(), Revision: proposed.GetRevision(), Digest: digest, Party: party, PublicKey: publicKey(key),
		Signature: ed25519.Sign(key, agreement.SignedAs(feedback.SignedTargets, digest)),
	})
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return writeMessage(out, q)
	}
	_, err = fmt.Fprintf(out, "Signed. %s\n", quarterStanding(q))
	return err
}

// quarterStanding says in a sentence or two how far a quarter is.
func quarterStanding(q *feedbackv1.Quarter) string {
	var s string
	switch {
	case q.GetClosed() != nil:
		s = "It was closed on " + stamp(q.GetClosedAt()) + "."
		if len(q.GetUnplanned()) > 0 {
			s += " Missed and without a plan: " + strings.Join(q.GetUnplanned(), ", ") + "; baton quarter recover " + q.GetQuarter() + " TARGET names an owner and a plan."
		}
		return s
	case q.GetAgreed():
		s = fmt.Sprintf("Both have signed revision %d.", q.GetProposed().GetRevision())
		if q.GetNext() == nil {
			return s
		}
		return s + fmt.Sprintf(" Revision %d takes its place once it is signed by %s.", q.GetNext().GetRevision(), unsigned(q.GetNextSignatures()))
	}
	return "It has no targets yet: what was proposed waits for the signature of " + unsigned(q.GetSignatures()) + "."
}

// unsigned are the parties that have not signed.
func unsigned(signatures []*feedbackv1.TargetsSigned) string {
	var missing []string
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		signed := false
		for _, s := range signatures {
			signed = signed || s.GetParty() == party
		}
		if !signed {
			missing = append(missing, party)
		}
	}
	return strings.Join(missing, " and ")
}

func targetShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show [QUARTER]",
		Short: "Show the targets of a quarter and how far they are",
		Long: `Shows each target with who answers for it, what was agreed, and what the log says by
now; of a closed quarter also what was stated then and what was counted anew since,
side by side. What waits for signatures is shown as the text that is signed.
Without QUARTER it is the latest that has targets.`,
		Example: "  baton target show\n  baton target show 2026-q4",
		Args:    between(0, "QUARTER"),
		RunE: client(func(c *call) error {
			name, err := c.quarterMeant()
			if err != nil {
				return err
			}
			q, err := c.feedback().GetQuarter(c.ctx, &feedbackv1.GetQuarterRequest{Quarter: name})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), q)
			}
			return writeQuarter(c.cmd.OutOrStdout(), q)
		}),
	}
}

// quarterMeant is the quarter that is named, or else the latest that has targets.
func (c *call) quarterMeant() (string, error) {
	if len(c.args) > 0 {
		return c.args[0], nil
	}
	list, err := c.feedback().ListQuarters(c.ctx, &feedbackv1.ListQuartersRequest{})
	if err != nil {
		return "", err
	}
	if len(list.GetQuarters()) == 0 {
		return "", fault.New(fault.NotFound, "no quarter has targets yet; baton target propose QUARTER --file targets.yaml begins")
	}
	return list.GetQuarters()[0].GetQuarter(), nil
}

func writeQuarter(w io.Writer, q *feedbackv1.Quarter) error {
	fmt.Fprintf(w, "%s, from %s, before %s\n%s\n", q.GetQuarter(), stamp(q.GetFrom()), stamp(q.GetTo()), quarterStanding(q))
	if q.GetAgreed() {
		if err := writeProgress(w, q); err != nil {
			return err
		}
	}
	if len(q.GetRecoveries()) > 0 {
		t := table{head: []string{"RECOVERY OF", "OWNER", "BY", "PLAN"}, most: 60}
		for _, r := range q.GetRecoveries() {
			t.add(r.GetTargetId(), r.GetMember(), stamp(r.GetDueAt()), dash(r.GetPlan()))
		}
		fmt.Fprintln(w)
		if err := t.write(w); err != nil {
			return err
		}
	}
	if proposed, text := waitingTargets(q); proposed != nil {
		_, err := fmt.Fprintf(w, "\nWaits for the signature of %s:\n\n%s\nSHA-256 %x\n", unsigned(append(q.GetNextSignatures(), signaturesOf(q)...)), indent(text), proposed.GetDigest())
		return err
	}
	return nil
}

// signaturesOf are those over what was proposed first, where nothing holds.
func signaturesOf(q *feedbackv1.Quarter) []*feedbackv1.TargetsSigned {
	if q.GetAgreed() {
		return nil
	}
	return q.GetSignatures()
}

func writeProgress(w io.Writer, q *feedbackv1.Quarter) error {
	goals := table{head: []string{"TARGET", "COUNTS", "OF LEADS WITH", "VERSION", "PART OF", "MARKETING", "SALES", "AGREED", "NOW", "STILL MISSING"}, most: 40}
	if q.GetClosed() != nil {
		goals.head = append(goals.head[:9], "STATED", "MISSED BY")
	}
	for _, r := range q.GetRestated() {
		goals.head = append(goals.head, fmt.Sprintf("RESTATED %d", r.GetNumber()))
	}
	way := table{head: []string{"TARGET", "DELIVERED", "MET THE DEFINITION", "REACHED THE PERSON", "ACCEPTED IN TIME"}}
	for i, t := range q.GetProposed().GetTargets() {
		now := q.GetNow()[i]
		segment := dash(t.GetSegment())
		if segment == "-" {
			segment = "all"
		}
		row := []string{
			t.GetTargetId(), feedback.TargetOutcomeWord(t.GetOutcome()), segment, strconv.FormatInt(t.GetDefinition(), 10), dash(t.GetParent()), t.GetMarketing(), t.GetSales(),
			feedback.TargetAmount(t, t.GetCount()), feedback.TargetAmount(t, now.GetResult()),
		}
		short := func(r *feedbackv1.TargetResult) string {
			if !r.GetMissed() {
				return "-"
			}
			return feedback.TargetAmount(t, r.GetAgreed()-r.GetResult())
		}
		if q.GetClosed() == nil {
			row = append(row, short(now))
		} else {
			stated := q.GetClosed().GetResults()[i]
			row = append(row, feedback.TargetAmount(t, stated.GetResult()), short(stated))
		}
		for _, r := range q.GetRestated() {
			row = append(row, feedback.TargetAmount(t, r.GetResults()[i].GetResult()))
		}
		goals.add(row...)
		way.add(t.GetTargetId(), grouped(now.GetDelivered()), grouped(now.GetMetDefinition()), grouped(now.GetReached()), grouped(now.GetAcceptedInTime()))
	}
	fmt.Fprintln(w)
	if err := goals.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := way.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nCounted up to event %d of the log. baton target ledger %s --by person shows whose they are.\n", q.GetSequence(), q.GetQuarter())
	return err
}

func targetLedger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger QUARTER",
		Short: "What was agreed, delivered and taken, by week, team or person",
		Long: `Counts, for each target, the leads that were offered and delivered, those that met the
definition, whose offer reached the person, and that were accepted in time, and what
the target is about. In every column the rows add up to the total. Agreed is shared
out: over weeks by their days, over people evenly among those who were offered
something.`,
		Example: `  baton target ledger 2026-q4 --by week
  baton target ledger 2026-q4 --by person --target mql-de`,
		Args: exactly("QUARTER"),
	}
	by := c.Flags().String("by", "week", "what the rows are: week, team or person")
	target := c.Flags().String("target", "", "one target (default all)")
	c.RunE = client(func(c *call) error {
		if *by != "week" && *by != "team" && *by != "person" {
			return misused(c.cmd, "--by is %q; it can be week, team or person", *by)
		}
		got, err := c.feedback().GetTargetLedger(c.ctx, &feedbackv1.GetTargetLedgerRequest{Quarter: c.args[0], TargetId: *target, By: *by})
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeMessage(c.cmd.OutOrStdout(), got)
		}
		return writeTargetLedger(c.cmd.OutOrStdout(), got)
	})
	return c
}

func writeTargetLedger(w io.Writer, l *feedbackv1.TargetLedger) error {
	for i, a := range l.GetTargets() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s of %s\n", a.GetTarget().GetTargetId(), feedback.TargetAmount(a.GetTarget(), a.GetTarget().GetCount()), feedback.TargetOutcomeWord(a.GetTarget().GetOutcome()))
		t := table{head: []string{strings.ToUpper(l.GetBy()), "AGREED", "OFFERS", "DELIVERED", "MET THE DEFINITION", "REACHED THE PERSON", "ACCEPTED IN TIME", "RESULT"}}
		add := func(key string, row *feedbackv1.TargetRow) {
			r := row.GetResult()
			t.add(key, feedback.TargetAmount(a.GetTarget(), r.GetAgreed()), grouped(row.GetOffers()), grouped(r.GetDelivered()), grouped(r.GetMetDefinition()), grouped(r.GetReached()), grouped(r.GetAcceptedInTime()), feedback.TargetAmount(a.GetTarget(), r.GetResult()))
		}
		for _, row := range a.GetRows() {
			key := row.GetKey()
			if key == "" {
				key = map[string]string{"team": "(no team)", "person": "(nobody)"}[l.GetBy()]
			}
			add(key, row)
		}
		add("all", a.GetTotal())
		if err := t.write(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nCounted up to event %d of the log.\n", l.GetSequence())
	return err
}
