package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/score"
)

func scoreCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "score",
		GroupID: groupSet,
		Short:   "The score that is learned from outcomes, beside the points",
		Long: `The points of the agreement are what both departments believe. The score is what the
outcomes say: learned from the leads in the log that were won or lost, and shown
beside the points of each decision. It decides nothing.

  baton score train                         learn; says how good it is, if at all
  baton score show 1                        the table, in words
  baton score sign 1 --as marketing --key marketing.key
  baton score sign 1 --as sales --key sales.key
  baton score on 1                          from now on it stands beside the points
  baton score explain LEAD                  what it makes of a lead, field by field
  baton score points                        points that would predict better

Ten points more double the odds. What is no better than chance, or too good to be
true, cannot be signed or switched on. After the first training there is one more
every 30 days; the score in force stays until another one is switched on.`,
	}, scoreTrain(), scoreShow(), scoreList(), scoreSign(), scoreSwitch("on", true), scoreSwitch("off", false), scoreExplain(), scorePoints())
}

const labelHelp = "outcome to foresee: won, or sql"

// labelOf reads the outcome that is to be foreseen.
func labelOf(cmd *cobra.Command) (scorev1.Label, error) {
	text, err := cmd.Flags().GetString("label")
	if err != nil {
		return 0, err
	}
	switch text {
	case "won":
		return scorev1.Label_LABEL_WON, nil
	case "sql":
		return scorev1.Label_LABEL_SQL, nil
	}
	return 0, misused(cmd, "--label is %q; it can be won or sql", text)
}

func labelWord(l scorev1.Label) string {
	return strings.ToLower(strings.TrimPrefix(l.String(), "LABEL_"))
}

func verdictWord(v scorev1.Verdict) string {
	switch v {
	case scorev1.Verdict_VERDICT_USABLE:
		return "better than chance"
	case scorev1.Verdict_VERDICT_CHANCE:
		return "no better than chance"
	case scorev1.Verdict_VERDICT_LEAKAGE:
		return "refused"
	case scorev1.Verdict_VERDICT_TOO_FEW:
		return "too few leads"
	}
	return "unknown"
}

func modelOf(cmd *cobra.Command, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, misused(cmd, "MODEL is %q; it must be a whole number from 1, as baton score list shows it", text)
	}
	return n, nil
}

func scoreTrain() *cobra.Command {
	c := &cobra.Command{
		Use:   "train",
		Short: "Learn a score from the leads whose outcome is known",
		Long: `Reads the log and learns from every lead that was won or lost (or, with --label sql,
that a call made SQL or did not) what leads had when they came and how they went. The
oldest leads teach, the newest say how good it is; the figure comes with the interval
that holds the true one in 95 of 100 cases. Nothing uses the result before both
departments have signed it and somebody has switched it on.`,
		Example: `  baton score train
  baton score train --label sql
  baton score train --without answers.closed_by,lead.medium`,
		Args: exactly(),
	}
	c.Flags().String("label", "won", labelHelp)
	without := c.Flags().StringSlice("without", nil, "fields to leave out, by their names in conditions")
	c.Flags().String("idempotency-key", "", "makes a repeat of this command harmless")
	c.RunE = client(func(c *call) error {
		label, err := labelOf(c.cmd)
		if err != nil {
			return err
		}
		key, err := c.cmd.Flags().GetString("idempotency-key")
		if err != nil {
			return err
		}
		s, err := scorev1.NewScoreServiceClient(c.conn).Train(c.ctx, &scorev1.TrainRequest{Label: label, Without: *without, IdempotencyKey: key})
		if err != nil {
			return err
		}
		return c.writeScore(s)
	})
	return c
}

func scoreShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show [MODEL]",
		Short: "Show one model, or the one in force: how good it is, and its table",
		Long: `Shows how good a model is, which leads it was learned from, what it was not allowed
to read and why, and its table: what each thing that a lead can have adds or takes, with
the interval that holds the true figure in about 95 of 100 cases, and how many leads
spoke for it. Where that interval holds 0, nobody can tell. Without a number: the one in
force.`,
		Example: `  baton score show
  baton score show 2 --format json`,
		Args: between(0, "MODEL"),
		RunE: client(func(c *call) error {
			var model int64
			if len(c.args) > 0 {
				var err error
				if model, err = modelOf(c.cmd, c.args[0]); err != nil {
					return err
				}
			}
			s, err := scorev1.NewScoreServiceClient(c.conn).GetScore(c.ctx, &scorev1.GetScoreRequest{Model: model})
			if err != nil {
				return err
			}
			return c.writeScore(s)
		}),
	}
}

// writeScore shows a model with its table.
func (c *call) writeScore(s *scorev1.Score) error {
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, s)
	}
	m := s.GetModel()
	var f facts
	f.add("model", strconv.FormatInt(m.GetNumber(), 10))
	f.add("foresees", labelWord(m.GetLabel()))
	f.add("verdict", m.GetSummary())
	f.add("standing", scoreStanding(s))
	f.add("trained", stamp(s.GetTrainedAt())+" by "+s.GetTrainedBy())
	for _, l := range m.GetSlices() {
		if l.GetLeads() == 0 {
			f.add("to "+l.GetName(), "no lead")
			continue
		}
		f.add("to "+l.GetName(), fmt.Sprintf("%s from %s to %s, %s with the outcome", counted(l.GetLeads(), "lead", "leads"), dash(stamp(l.GetFrom())), dash(stamp(l.GetUntil())), grouped(l.GetPositives())))
	}
	if m.GetAuc() != nil {
		f.add("Brier score", fmt.Sprintf("%s; who says the same of every lead has %s, and less is better", score.Share(m.GetBrier()), score.Share(m.GetBrierBlind())))
	}
	for _, sig := range s.GetSignatures() {
		f.add("signed for "+sig.GetParty(), stamp(sig.GetSignedAt())+" by "+sig.GetActor())
	}
	f.add("drift", s.GetDrift().GetSummary())
	f.add("next training", stamp(s.GetNextTraining()))
	f.add("SHA-256", hex.EncodeToString(s.GetDigest()))
	if err := f.write(out); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		table table
	}{
		{"What a lead has, and what that adds or takes (10 points double the odds):", weightTable(m)},
		{"What it says, and what came of it, on the newest leads:", reliabilityTable(m)},
		{"Left out:", leftOutTable(m)},
	} {
		if len(part.table.rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "\n%s\n", part.title); err != nil {
			return err
		}
		if err := part.table.write(out); err != nil {
			return err
		}
	}
	return nil
}

func weightTable(m *scorev1.Model) table {
	t := table{head: []string{"FIELD", "LEAD HAS", "POINTS", "BETWEEN", "AND", "LEADS"}}
	if len(m.GetFields()) > 0 {
		t.add("an average lead", fmt.Sprintf("%d of 1000", score.Likelihood(m.GetBase())), tenths(m.GetBase(), false), "", "", "")
	}
	for _, field := range m.GetFields() {
		for _, l := range field.GetLevels() {
			t.add(field.GetText(), score.LevelWords(l), tenths(l.GetPoints(), true), tenths(l.GetLow(), true), tenths(l.GetHigh(), true), grouped(l.GetLeads()))
		}
	}
	return t
}

func reliabilityTable(m *scorev1.Model) table {
	t := table{head: []string{"SAYS OF 1000", "MEAN", "CAME TRUE", "LEADS"}}
	for _, b := range m.GetReliability() {
		says := fmt.Sprintf("%d to %d", b.GetFrom(), b.GetTo())
		if b.GetFrom() == b.GetTo() {
			says = strconv.Itoa(int(b.GetFrom()))
		}
		t.add(says, strconv.Itoa(int(b.GetForeseen())), strconv.Itoa(int(b.GetObserved())), grouped(b.GetLeads()))
	}
	return t
}

func leftOutTable(m *scorev1.Model) table {
	t := table{head: []string{"FIELD", "NAME", "WHY"}}
	for _, l := range m.GetLeftOut() {
		t.add(l.GetText(), l.GetField(), l.GetWhy())
	}
	return t
}

// tenths writes thousandths of a point with one decimal.
func tenths(thousandths int64, signed bool) string {
	sign := ""
	switch {
	case thousandths < 0:
		sign, thousandths = "-", -thousandths
	case signed && thousandths > 0:
		sign = "+"
	}
	n := (thousandths + 50) / 100
	return fmt.Sprintf("%s%d.%d", sign, n/10, n%10)
}

// scoreStanding says in a sentence how far a model is.
func scoreStanding(s *scorev1.Score) string {
	if since := stamp(s.GetInForceSince()); since != "" {
		return "It is in force since " + since + "."
	}
	if s.GetModel().GetVerdict() != scorev1.Verdict_VERDICT_USABLE {
		return "It cannot be signed or switched on."
	}
	var missing []string
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		signed := false
		for _, sig := range s.GetSignatures() {
			signed = signed || sig.GetParty() == party
		}
		if !signed {
			missing = append(missing, party)
		}
	}
	if len(missing) > 0 {
		return "It waits for the signature of " + strings.Join(missing, " and ") + "."
	}
	return "Both have signed; baton score on " + strconv.FormatInt(s.GetModel().GetNumber(), 10) + " puts it in force."
}

func scoreList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all models, newest first",
		Example: `  baton score list
  baton score list --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			service := scorev1.NewScoreServiceClient(c.conn)
			all := &scorev1.ListScoresResponse{}
			for token := ""; ; {
				page, err := service.ListScores(c.ctx, &scorev1.ListScoresRequest{PageSize: 500, PageToken: token})
				if err != nil {
					return err
				}
				all.Scores = append(all.Scores, page.GetScores()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, all)
			}
			if len(all.GetScores()) == 0 {
				_, err := fmt.Fprintln(out, "Nothing was learned yet; begin with baton score train.")
				return err
			}
			t := table{head: []string{"MODEL", "FORESEES", "VERDICT", "AUC", "BETWEEN", "AND", "LEADS", "TRAINED", "STANDING"}}
			for _, s := range all.GetScores() {
				m, leads := s.GetModel(), int64(0)
				for _, l := range m.GetSlices() {
					leads += l.GetLeads()
				}
				value, low, high := "-", "-", "-"
				if a := m.GetAuc(); a != nil {
					value, low, high = score.Share(a.GetValue()), score.Share(a.GetLow()), score.Share(a.GetHigh())
				}
				t.add(strconv.FormatInt(m.GetNumber(), 10), labelWord(m.GetLabel()), verdictWord(m.GetVerdict()), value, low, high, grouped(leads), stamp(s.GetTrainedAt()), scoreStanding(s))
			}
			return t.write(out)
		}),
	}
}

func scoreSign() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign MODEL --as marketing|sales --key FILE",
		Short: "Sign a model for one party",
		Long: `Fetches a model, checks that its table is the one that its digest names, and signs
the digest with the party's key: the same key that signs the agreement. Look at the
table first: baton score show MODEL. The key stays on this machine.`,
		Example: `  baton score show 2
  baton score sign 2 --as sales --key sales.key`,
		Args: exactly("MODEL"),
	}
	party := c.Flags().String("as", "", "party that signs: marketing or sales")
	keyFile := c.Flags().String("key", "", "file that holds the party's key")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		model, err := modelOf(cmd, args[0])
		if err != nil {
			return err
		}
		key, err := partyKey(cmd, *party, *keyFile)
		if err != nil {
			return err
		}
		return client(func(c *call) error { return c.signScore(model, *party, key) })(cmd, args)
	}
	return c
}

func (c *call) signScore(model int64, party string, key ed25519.PrivateKey) error {
	service := scorev1.NewScoreServiceClient(c.conn)
	s, err := service.GetScore(c.ctx, &scorev1.GetScoreRequest{Model: model})
	if err != nil {
		return err
	}
	digest := score.Digest(s.GetModel())
	if !bytes.Equal(digest[:], s.GetDigest()) {
		return fault.New(fault.Corrupt, "the table of model %d is not the one that its digest names; nothing was signed", model)
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatTable {
		fmt.Fprintf(out, "Signing for %s: model %d. %s\nSHA-256 %x\n", party, model, cell(s.GetModel().GetSummary()), digest)
	}
	s, err = service.Sign(c.ctx, &scorev1.SignRequest{
		Model: model, Party: party, Digest: digest[:], PublicKey: publicKey(key), Signature: ed25519.Sign(key, agreement.SignedAs(score.Signed, digest[:])),
	})
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return writeMessage(out, s)
	}
	_, err = fmt.Fprintf(out, "Signed. %s\n", scoreStanding(s))
	return err
}

func scoreSwitch(word string, on bool) *cobra.Command {
	c := &cobra.Command{
		Use:   word + " MODEL",
		Short: "Put a model in force that both parties have signed",
		Long: `From now on every decision of qualification shows what the model says beside the
points. It decides nothing. The model that was in force before is so no longer.`,
		Example: "  baton score " + word + " 2",
		Args:    exactly("MODEL"),
		RunE: client(func(c *call) error {
			model, err := modelOf(c.cmd, c.args[0])
			if err != nil {
				return err
			}
			s, err := scorev1.NewScoreServiceClient(c.conn).Switch(c.ctx, &scorev1.SwitchRequest{Model: model, On: on})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, s)
			}
			said := scoreStanding(s)
			if !on {
				said = fmt.Sprintf("Model %d is not in force.", model)
			}
			_, err = fmt.Fprintln(out, said)
			return err
		}),
	}
	if !on {
		c.Short = "Take a model out of force"
		c.Long = `From now on decisions show the points alone. What was decided before stays as it is.`
	}
	return c
}

func scoreExplain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain LEAD",
		Short: "Say what a model makes of a lead, field by field",
		Long: `Shows what each thing that is known of a lead adds to its score or takes from it, the
weightiest first, and what it all comes to. Without --model: the one in force.`,
		Example: `  baton score explain l2qk6c5o4y7n3x5m6b4a2w7r5ta
  baton score explain l2qk6c5o4y7n3x5m6b4a2w7r5ta --model 2`,
		Args: exactly("LEAD"),
	}
	model := c.Flags().Int64("model", 0, "number of the model (default the one in force)")
	c.RunE = client(func(c *call) error {
		if *model < 0 {
			return misused(c.cmd, "--model is %d; it must be a whole number from 1", *model)
		}
		s, err := scorev1.NewScoreServiceClient(c.conn).ScoreLead(c.ctx, &scorev1.ScoreLeadRequest{LeadId: c.args[0], Model: *model})
		if err != nil {
			return err
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return writeMessage(out, s)
		}
		if _, err := fmt.Fprintf(out, "%s\n\n", cell(s.GetSummary())); err != nil {
			return err
		}
		return writeParts(out, s.GetScore())
	})
	return c
}

// writeParts lists what a lead's score is made of.
func writeParts(out io.Writer, s *leadv1.Score) error {
	t := table{head: []string{"FIELD", "THE LEAD HAS", "POINTS"}}
	t.add("an average lead", fmt.Sprintf("%d of 1000", score.Likelihood(s.GetBase())), tenths(s.GetBase(), false))
	for _, p := range score.Weightiest(s) {
		t.add(p.GetText(), p.GetValue(), tenths(p.GetPoints(), true))
	}
	t.add("all together", fmt.Sprintf("%d of 1000", s.GetPerMille()), tenths(s.GetTotal(), false))
	return t.write(out)
}

func scorePoints() *cobra.Command {
	c := &cobra.Command{
		Use:   "points",
		Short: "Compare the agreed points with points that would predict better",
		Long: `Learns from the outcomes how many points each criterion of the agreement in force
deserves, and compares both on the newest leads. Where the new points are better beyond
doubt it prints the profile as it would stand in the document; put it there, propose it
and let both parties sign. Where they are not, it says so. Must-haves stay as they are.`,
		Example: `  baton score points
  baton score points --label sql --format json`,
		Args: exactly(),
	}
	c.Flags().String("label", "won", labelHelp)
	c.RunE = client(func(c *call) error {
		label, err := labelOf(c.cmd)
		if err != nil {
			return err
		}
		p, err := scorev1.NewScoreServiceClient(c.conn).ProposePoints(c.ctx, &scorev1.ProposePointsRequest{Label: label})
		if err != nil {
			return err
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return writeMessage(out, p)
		}
		if _, err := fmt.Fprintf(out, "%s\n", cell(p.GetSummary())); err != nil {
			return err
		}
		if p.GetFragment() == "" {
			return nil
		}
		t := table{head: []string{"CRITERION", "POINTS NOW", "PROPOSED", "LEADS THAT MEET IT", "WITH THE OUTCOME"}}
		for _, k := range p.GetCriteria() {
			t.add(k.GetText(), strconv.FormatInt(k.GetPoints(), 10), strconv.FormatInt(k.GetProposed(), 10), grouped(k.GetMet()), grouped(k.GetPositives()))
		}
		t.add("points needed", strconv.FormatInt(p.GetNeeded(), 10), strconv.FormatInt(p.GetNeededProposed(), 10), "", "")
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
		if err := t.write(out); err != nil || !p.GetBetter() {
			return err
		}
		_, err = fmt.Fprintf(out, "\nFor the document, in place of its profile:\n\n%s", plain(p.GetFragment()))
		return err
	})
	return c
}
