package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// What sales learned from leads.

func feedbackForm() *cobra.Command {
	return &cobra.Command{
		Use:   "form LEAD",
		Short: "What marketing asks about a lead, and what can be answered",
		Long: `Shows what marketing asks about a lead: the agreed answers, which questions must be
answered, by when, and what has been said.`,
		Example: `  baton feedback form l2c4q…`,
		Args:    exactly("LEAD"),
		RunE: client(func(c *call) error {
			form, err := feedbackv1.NewFeedbackServiceClient(c.conn).GetFeedbackForm(c.ctx, &feedbackv1.GetFeedbackFormRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, form)
			}
			said := saidOf(form.GetGiven())
			t := table{head: []string{"QUESTION", "ASKS", "SAID", "FLAG", "ANSWERS"}}
			for _, q := range form.GetQuestions() {
				name := q.GetName()
				if q.GetRequired() {
					name += " *"
				}
				var answers string
				switch {
				case len(q.GetChoices()) > 0:
					answers = strings.Join(choiceIDs(q), ", ")
				case q.GetName() == "interest" || q.GetName() == "ease":
					answers = "1 to 5"
				case q.GetName() == "phrases":
					answers = "up to 6 words each"
				default:
					answers = "none agreed"
				}
				t.add(name, q.GetText(), dash(said[q.GetName()]), feedbackFlags[q.GetName()], answers)
			}
			if err := t.write(out); err != nil {
				return err
			}
			return formFoot(out, form)
		}),
	}
}

func formFoot(out io.Writer, form *feedbackv1.FeedbackForm) error {
	var lines []string
	if missing := form.GetMissing(); len(missing) > 0 {
		line := "Must be answered: " + strings.Join(missing, ", ")
		if form.GetDueAt() != nil {
			line += ", by " + stamp(form.GetDueAt())
		}
		lines = append(lines, line+".")
	}
	if form.GetVertical() != "" || form.GetPersona() != "" {
		lines = append(lines, fmt.Sprintf("As far as is known: industry %s, persona %s.", dash(form.GetVertical()), dash(form.GetPersona())))
	}
	if len(form.GetPhrases()) > 0 {
		lines = append(lines, "Said of this industry before: "+strings.Join(form.GetPhrases(), "; ")+".")
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, cell(line)); err != nil {
			return err
		}
	}
	return nil
}

// feedbackFlags are the flags that answer each question.
var feedbackFlags = map[string]string{
	"interest": "--interest", "why": "--why", "talk": "--talk", "missing": "--missing",
	"vertical": "--vertical", "persona": "--persona", "ease": "--ease", "phrases": "--phrase",
}

func choiceIDs(q *feedbackv1.FeedbackQuestion) (ids []string) {
	for _, one := range q.GetChoices() {
		ids = append(ids, one.GetId())
	}
	return ids
}

// saidOf are answers in words, by their questions.
func saidOf(f *leadv1.FeedbackGiven) map[string]string {
	number := func(n int32) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(int(n))
	}
	return map[string]string{
		"interest": number(f.GetInterest()), "ease": number(f.GetEase()), "talk": f.GetTalk(), "vertical": f.GetVertical(), "persona": f.GetPersona(),
		"why": strings.Join(f.GetWhy(), ", "), "missing": strings.Join(f.GetMissing(), ", "), "phrases": strings.Join(f.GetPhrases(), "; "),
	}
}

func feedbackGive() *cobra.Command {
	c := &cobra.Command{
		Use:   "give LEAD",
		Short: "Say what you learned from a lead",
		Long: `Says what you learned from a lead that you have or had; a manager may say it for any.
baton feedback form shows the agreed answers. What you say later of the same lead takes
the place of what you said before, as a whole.

Phrases are words that the prospect used: up to 6 words, nothing personal. Marketing
counts them by industry. A note is sealed: the log shows only that there is one.` + whoActs,
		Example: `  baton feedback give l2c4q… --interest 4 --talk well --why urgent,budget
  baton feedback give l2c4q… --interest 2 --talk hard --missing timing --phrase "too slow" --phrase "month end"`,
		Args: exactly("LEAD"),
	}
	flags := c.Flags()
	interest := flags.Int32("interest", 0, "how interesting the lead was, 1 (not at all) to 5 (very)")
	ease := flags.Int32("ease", 0, "how easy it was to get on with them, 1 (hard) to 5 (easy)")
	why := flags.StringSlice("why", nil, "why it was interesting, or not: agreed words, separated by commas")
	talk := flags.String("talk", "", "how the talk went, by an agreed word")
	missing := flags.StringSlice("missing", nil, "which information was missing: agreed words, separated by commas")
	vertical := flags.String("vertical", "", "industry, as you found it")
	persona := flags.String("persona", "", "persona, as you found it")
	spoken := flags.StringArray("phrase", nil, "words that the prospect used; may be repeated")
	note := flags.String("note", "", "free text; sealed")
	key := keyFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req := &feedbackv1.GiveFeedbackRequest{LeadId: args[0], Note: *note, IdempotencyKey: orNewKey(*key), Feedback: &leadv1.FeedbackGiven{
			Interest: *interest, Ease: *ease, Why: *why, Talk: *talk, Missing: *missing, Vertical: *vertical, Persona: *persona, Phrases: *spoken,
		}}
		for name, n := range map[string]int32{"interest": *interest, "ease": *ease} { // any order: both are said alike
			if n < 0 || n > 5 || cmd.Flags().Changed(name) && n == 0 {
				return misused(cmd, "--%s is %d; it can be 1 to 5", name, n)
			}
		}
		return client(func(c *call) error {
			done, err := feedbackv1.NewFeedbackServiceClient(c.conn).GiveFeedback(c.ctx, req)
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, done)
			}
			left := ""
			if len(done.GetMissing()) > 0 {
				left = " Still to be answered: " + strings.Join(done.GetMissing(), ", ") + "; say it again with them."
			}
			_, err = fmt.Fprintf(out, "Thank you (event %d).%s\n", done.GetSequence(), left)
			return err
		})(cmd, args)
	}
	return c
}

func feedbackList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list [--campaign CAMPAIGN] [--since T]",
		Short: "What was said of leads, in the order in which it became known",
		Long: `Lists what sales said of leads, in the order in which it became known, with the campaign
that brought each lead. Of what one person said of one lead it lists the latest; free
text is not part of it.`,
		Example: `  baton feedback list --campaign spring
  baton feedback list --since 2026-07-01 --format json`,
		Args: exactly(),
	}
	campaign := c.Flags().String("campaign", "", "only leads that came by this campaign")
	c.Flags().String("since", "", "only what became known since then")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		since, err := instantFlag(cmd, "since")
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			service := feedbackv1.NewFeedbackServiceClient(c.conn)
			all := &feedbackv1.ListFeedbackResponse{}
			for token := ""; ; {
				page, err := service.ListFeedback(c.ctx, &feedbackv1.ListFeedbackRequest{Campaign: *campaign, Since: since, PageSize: 500, PageToken: token})
				if err != nil {
					return err
				}
				all.Feedback = append(all.Feedback, page.GetFeedback()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, all)
			}
			if len(all.GetFeedback()) == 0 {
				_, err := fmt.Fprintln(out, "Nothing was said of such leads. baton feedback give LEAD says it; baton report hygiene says who owes an answer.")
				return err
			}
			t := table{head: []string{"LEAD", "CAMPAIGN", "SAID", "INTEREST", "EASE", "TALK", "WHY", "MISSING", "INDUSTRY", "PERSONA", "PHRASES"}}
			for _, one := range all.GetFeedback() {
				f := one.GetFeedback()
				said := saidOf(f)
				row := []string{one.GetLeadId(), dash(f.GetCampaign()), stamp(one.GetGivenAt())}
				for _, name := range []string{"interest", "ease", "talk", "why", "missing", "vertical", "persona", "phrases"} {
					row = append(row, dash(said[name]))
				}
				t.add(row...)
			}
			return t.write(out)
		})(cmd, args)
	}
	return c
}
