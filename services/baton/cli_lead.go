package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
)

func leadCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "lead",
		GroupID: groupWork,
		Short:   "One lead: where it stands, why, who has it; and what you did with it",
		Long: `Shows a lead and takes what people do with it. ID is what baton lead list shows in
its first column.

  baton lead list                           the newest leads
  baton lead list --state nurturing         those with marketing, by when they are due
  baton lead show ID                        where it stands
  baton lead history ID                     all that happened, in sentences
  baton lead explain ID                     why it was qualified and given as it was
  baton lead why ID                         why it went to her, and not to others
  baton lead clocks ID                      which of the agreed times run
  baton lead receipt ID                     how it was handed over, step by step
  baton lead accept ID                      take it
  baton lead reassign ID --reason overload  move it to somebody else
  baton lead call ID --reached --fit --horizon 3
  baton lead outcome ID --kind won --value 1200 --currency EUR
  baton lead ride ask ID                    marketing listens to the talk`,
	}, leadList(), leadShow(), leadHistory(), leadExplain(), leadClocks(), leadOwner(), leadWhy(), leadReceipt(), leadAccept(), leadReject(), leadClaim(), leadReassign(), leadUndoMove(), leadCall(), leadOutcome(), leadRide())
}

// states are the states by their words.
func states() map[string]leadv1.State {
	m := map[string]leadv1.State{}
	for n := range leadv1.State_name {
		if s := leadv1.State(n); s != leadv1.State_STATE_UNSPECIFIED {
			m[lead.StateWord(s)] = s
		}
	}
	return m
}

func stateWords() []string {
	var words []string
	for n := range int32(len(leadv1.State_name)) {
		if n > 0 {
			words = append(words, lead.StateWord(leadv1.State(n)))
		}
	}
	return words
}

// mostAtOnce is as many leads as one call answers.
const mostAtOnce = 500

func leadList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List leads, newest first",
		Long: "Lists leads, newest first. A lead is in one of these states:\n  " + wrapped(stateWords(), 2) + `.

With --state nurturing, the leads that are with marketing: why, since when, the next
touch of the agreed plan, when they are looked at again, and by how much they are
overdue. What is due first stands first, and --overdue leaves out what is not due.
--as-of shows leads as they stood then, as far as it is known by now.`,
		Example: `  baton lead list
  baton lead list --state waiting --limit 0
  baton lead list --state nurturing --overdue
  baton lead list --member ana --as-of 2026-11-09
  baton lead list --member ana --format json`,
		Args: exactly(),
	}
	flags := c.Flags()
	state := flags.String("state", "", "only leads in this state")
	member := flags.String("member", "", "only leads that this person holds or was offered")
	flags.String("as-of", "", "leads received by then, as they stood then")
	overdue := flags.Bool("overdue", false, "with --state nurturing: only leads whose next touch or second look is due")
	limit := flags.Int("limit", 50, "at most so many; 0 = all")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		asOf, err := instantFlag(cmd, "as-of")
		if err != nil {
			return err
		}
		wanted := states()[strings.ToLower(*state)]
		nurturing := wanted == leadv1.State_STATE_NURTURING && *member == "" && asOf == nil
		if *state != "" && wanted == leadv1.State_STATE_UNSPECIFIED {
			return misused(cmd, "--state is %q; it can be %s", *state, strings.Join(stateWords(), ", "))
		}
		if *limit < 0 {
			return misused(cmd, "--limit is %d; it must be 0 or more", *limit)
		}
		if *overdue && !nurturing {
			return misused(cmd, "--overdue is of the leads that are with marketing; write --state nurturing --overdue, without --member and --as-of")
		}
		return client(func(c *call) error {
			if nurturing {
				return c.nurturing(*overdue, *limit)
			}
			list, err := c.leads(wanted, *member, asOf, *limit)
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, list)
			}
			if len(list.GetLeads()) == 0 {
				none := "There is no such lead; baton lead list shows all."
				switch {
				case asOf != nil:
					none = "There was no such lead then; baton lead list shows those of now."
				case wanted == leadv1.State_STATE_UNSPECIFIED && *member == "":
					none = "No lead has come yet; baton source list shows where they come from."
				}
				_, err := fmt.Fprintln(out, none)
				return err
			}
			t := table{head: []string{"LEAD", "STATE", "STAGE", "SOURCE", "RECEIVED", "WITH", "WAITS FOR"}}
			for _, l := range list.GetLeads() {
				t.add(l.GetLeadId(), lead.StateWord(l.GetState()), dash(lead.StageWord(l.GetStage())), l.GetSource(), stamp(l.GetReceivedAt()), dash(holder(l)), dash(waitsFor(l)))
			}
			if err := t.write(out); err != nil {
				return err
			}
			if list.GetNextPageToken() != "" {
				_, err = fmt.Fprintf(out, "There are more; --limit 0 shows all.\n")
			}
			return err
		})(cmd, args)
	}
	return c
}

func (c *call) leads(state leadv1.State, member string, asOf *timestamppb.Timestamp, limit int) (*leadv1.ListLeadsResponse, error) {
	service := leadv1.NewLeadServiceClient(c.conn)
	all := &leadv1.ListLeadsResponse{}
	for {
		size := mostAtOnce
		if limit > 0 {
			size = min(size, limit-len(all.GetLeads()))
		}
		page, err := service.ListLeads(c.ctx, &leadv1.ListLeadsRequest{PageSize: int32(size), PageToken: all.GetNextPageToken(), State: state, Member: member, AsOf: asOf})
		if err != nil {
			return nil, err
		}
		all.Leads = append(all.Leads, page.GetLeads()...)
		all.NextPageToken = page.GetNextPageToken()
		if all.GetNextPageToken() == "" || (limit > 0 && len(all.GetLeads()) >= limit) {
			return all, nil
		}
	}
}

// holder is who has a lead, in a word or two.
func holder(l *leadv1.Lead) string {
	if l.GetOwner() != "" {
		return l.GetOwner()
	}
	if l.GetOfferedTo() != "" {
		return l.GetOfferedTo() + " (offered)"
	}
	return ""
}

// waitsFor is what has to happen next, as far as the lead says.
func waitsFor(l *leadv1.Lead) string {
	switch {
	case l.GetFailure() != "":
		return "failure"
	case l.GetBlockedBy() != "":
		return lead.WaitsFor(l.GetBlockedBy())
	case l.GetOfferedTo() != "" && l.GetTakeBy() != nil:
		return "taken by " + stamp(l.GetTakeBy())
	}
	return ""
}

func leadShow() *cobra.Command {
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Where a lead stands",
		Long: `Shows a lead as folded from its events: where it stands, who has it, what it waits
for, and what decisions read about it. Personal data is shown to roles that may read
it, until it is erased. Of ID the beginning is enough where only one lead has it.`,
		Example: `  baton lead show l2c4q…
  baton lead show l2c4q… --as-of 2026-03-31
  baton lead show l2c4q… --format json`,
		Args: exactly("ID"),
	}
	c.Flags().String("as-of", "", "only what had happened by then")
	c.Flags().String("known-at", "", "only what was known by then")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		asOf, err := instantFlag(cmd, "as-of")
		if err != nil {
			return err
		}
		knownAt, err := instantFlag(cmd, "known-at")
		if err != nil {
			return err
		}
		return client(aLead(func(c *call) error {
			l, err := leadv1.NewLeadServiceClient(c.conn).GetLead(c.ctx, &leadv1.GetLeadRequest{LeadId: c.args[0], AsOf: asOf, KnownAt: knownAt})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), l)
			}
			return leadFacts(l).write(c.cmd.OutOrStdout())
		}))(cmd, args)
	}
	return c
}

func leadFacts(l *leadv1.Lead) *facts {
	f := &facts{}
	f.add("lead", l.GetLeadId())
	f.add("state", lead.StateWord(l.GetState()))
	f.add("stage", stageOf(l))
	if l.GetAccountable() != "" {
		f.add("accountable", fmt.Sprintf("%s (by version %d of the agreement)", l.GetAccountable(), l.GetAccountableVersion()))
	}
	source := l.GetSource()
	if !l.GetSigned() {
		source += " (unsigned: anybody could have sent it)"
	}
	f.add("source", source)
	f.add("received", stamp(l.GetReceivedAt()))
	if l.GetHistorical() {
		f.add("history", "imported; nobody is notified and nothing is routed")
	}
	f.add("owner", l.GetOwner())
	if l.GetOfferedTo() != "" {
		f.add("offered to", l.GetOfferedTo()+", to be taken by "+stamp(l.GetTakeBy()))
	}
	f.add("pool", l.GetPool())
	if l.GetOffers() > 0 {
		f.add("offers", strconv.Itoa(int(l.GetOffers())))
	}
	if l.GetBlockedBy() != "" {
		f.add("waits for", lead.WaitsFor(l.GetBlockedBy())+": "+l.GetBlockedText())
	}
	nurtureFacts(f, l)
	f.add("failure", l.GetFailure())
	f.add("reason", l.GetReason())
	if l.GetTouches() > 0 {
		f.add("touches", strconv.FormatInt(l.GetTouches(), 10))
		f.add("first touch", stamp(l.GetFirstTouchAt()))
	}
	if l.GetConflict() {
		f.add("conflict", "the same submission came with other contents; see baton lead history")
	}
	if l.GetNeedsMapping() {
		f.add("mapping", "no e-mail and no telephone number was found; the mapping of this source needs a look")
	}
	if l.GetAgreementVersion() > 0 {
		f.add("agreement", "version "+strconv.FormatInt(l.GetAgreementVersion(), 10))
	}
	f.add("person", l.GetPersonId())
	accountFacts(f, l.GetAccount())
	touchFacts(f, l.GetFirst(), l.GetLast(), l.GetHandoff())
	featureFacts(f, l.GetFeatures())
	personalFacts(f, l.GetPersonal())
	f.add("qualification", l.GetExplanation().GetSummary())
	f.add("routing", l.GetRoutingSummary())
	f.add("sequence", strconv.FormatUint(l.GetSequence(), 10))
	return f
}

// accountFacts are the account that a lead belongs to and all that were looked at.
func accountFacts(f *facts, a *leadv1.AccountMatched) {
	if a == nil {
		return
	}
	f.add("account", accountText(a))
	for _, c := range a.GetCandidates() {
		f.add("account candidate", candidateText(c))
	}
}

func accountText(a *leadv1.AccountMatched) string {
	if a.GetAccountDomain() == "" {
		return "none is sure enough"
	}
	s := fmt.Sprintf("%s (%d %% sure, by %s)", a.GetAccountDomain(), a.GetConfidence(), a.GetBy())
	switch a.GetTieBreak() {
	case "owned":
		s += ", before its equals because somebody owns it"
	case "order":
		s += ", before its equals by its domain's place in the alphabet"
	}
	return s
}

func candidateText(c *leadv1.AccountCandidate) string {
	s := fmt.Sprintf("%s (%d %% sure, by %s)", c.GetDomain(), c.GetConfidence(), c.GetBy())
	if c.GetOwned() {
		s += ", owned"
	}
	return s
}

func featureFacts(f *facts, features *leadv1.Features) {
	f.add("country", features.GetCountry())
	if features.GetEmployees() > 0 {
		f.add("employees", grouped(features.GetEmployees()))
	}
	f.add("industry", features.GetIndustry())
	f.add("role", features.GetRole())
	f.add("product", features.GetProduct())
	f.add("language", features.GetLanguage())
	switch features.GetContactWish() {
	case leadv1.ContactWish_CONTACT_WISH_CONTACT:
		f.add("wish", "to be contacted")
	case leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
		f.add("wish", "content only")
	}
	f.add("came by", attributionText(features.GetAttribution()))
}

func attributionText(at *leadv1.Attribution) string {
	return strings.Join(slices.DeleteFunc([]string{at.GetSource(), at.GetMedium(), at.GetCampaign(), at.GetTerm(), at.GetContent()}, func(s string) bool { return s == "" }), " / ")
}

// touchFacts are the touches that a lead or a person is attributed to. Touches by
// sales are others.
func touchFacts(f *facts, first, last, handoff *leadv1.Touchpoint) {
	for _, t := range []struct {
		name string
		at   *leadv1.Touchpoint
	}{{"came first", first}, {"came last", last}, {"came before handoff", handoff}} {
		if t.at == nil {
			continue
		}
		text := stamp(t.at.GetAt())
		if from := attributionText(t.at.GetAttribution()); from != "" {
			text += " by " + from
		}
		f.add(t.name, text)
	}
}

func personalFacts(f *facts, p *leadv1.PersonalData) {
	f.add("name", p.GetName())
	f.add("e-mail", p.GetEmail())
	f.add("telephone", p.GetPhone())
	f.add("company", p.GetCompany())
	f.add("job title", p.GetJobTitle())
	f.add("message", p.GetMessage())
	for _, a := range p.GetOther() {
		f.add("answer "+cell(a.GetKey()), a.GetValue())
	}
}

func leadHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history ID",
		Short: "All that happened to a lead, in sentences",
		Long: `Lists every event of a lead in the order of the log, each as one sentence with who
said it.`,
		Example: `  baton lead history l2c4q…
  baton lead history l2c4q… --format json`,
		Args: exactly("ID"),
		RunE: client(aLead(func(c *call) error {
			h, err := leadv1.NewLeadServiceClient(c.conn).GetHistory(c.ctx, &leadv1.GetHistoryRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				entries, err := entriesJSON(h.GetEntries())
				if err != nil {
					return err
				}
				return writeJSON(out, map[string]any{"lead_id": c.args[0], "entries": entries})
			}
			t := table{head: []string{"SEQ", "HAPPENED", "WHO", "WHAT"}}
			for _, e := range h.GetEntries() {
				t.add(strconv.FormatUint(e.GetSequence(), 10), stamp(e.GetOccurredAt()), e.GetActor(), e.GetSentence())
			}
			return t.write(out)
		})),
	}
}

// entriesJSON writes entries with their events as objects, not as texts.
func entriesJSON(entries []*leadv1.HistoryEntry) ([]map[string]json.RawMessage, error) {
	out := make([]map[string]json.RawMessage, 0, len(entries))
	for _, e := range entries {
		raw, err := messageJSON(e)
		if err != nil {
			return nil, err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, err
		}
		delete(fields, "json")
		fields["event"] = json.RawMessage("null")
		if json.Valid([]byte(e.GetJson())) {
			fields["event"] = json.RawMessage(e.GetJson())
		}
		out = append(out, fields)
	}
	return out, nil
}

func leadExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Why a lead was qualified and given as it was",
		Long: `Shows which account a lead was matched with, and lists every decision on it:
what the agreement asked, which value decided, and whether it held; then who
was considered for it, and why each other did not get it.`,
		Example: `  baton lead explain l2c4q…
  baton lead explain l2c4q… --format json`,
		Args: exactly("ID"),
		RunE: client(aLead(func(c *call) error {
			why, err := qualificationv1.NewQualificationServiceClient(c.conn).Explain(c.ctx, &qualificationv1.ExplainRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			l, err := leadv1.NewLeadServiceClient(c.conn).GetLead(c.ctx, &leadv1.GetLeadRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return c.explainJSON(why, l)
			}
			return c.explain(why, l)
		})),
	}
}

func (c *call) explainJSON(why *qualificationv1.ExplainResponse, l *leadv1.Lead) error {
	decisions := make([]json.RawMessage, 0, len(why.GetDecisions()))
	for _, d := range why.GetDecisions() {
		raw, err := messageJSON(d)
		if err != nil {
			return err
		}
		decisions = append(decisions, raw)
	}
	considered := make([]json.RawMessage, 0, len(l.GetConsidered()))
	for _, m := range l.GetConsidered() {
		raw, err := messageJSON(m)
		if err != nil {
			return err
		}
		considered = append(considered, raw)
	}
	var counts json.RawMessage
	if l.GetCounts() != nil {
		raw, err := messageJSON(l.GetCounts())
		if err != nil {
			return err
		}
		counts = raw
	}
	account := json.RawMessage("null")
	if l.GetAccount() != nil {
		raw, err := messageJSON(l.GetAccount())
		if err != nil {
			return err
		}
		account = raw
	}
	return writeJSON(c.cmd.OutOrStdout(), struct {
		LeadID    string            `json:"lead_id"`
		State     string            `json:"state"`
		Account   json.RawMessage   `json:"account"`
		Decisions []json.RawMessage `json:"decisions"`
		Routing   any               `json:"routing"`
	}{c.args[0], lead.StateWord(l.GetState()), account, decisions, struct {
		Summary     string            `json:"summary"`
		BlockedBy   string            `json:"blocked_by"`
		BlockedText string            `json:"blocked_text"`
		Considered  []json.RawMessage `json:"considered"`
		Counts      json.RawMessage   `json:"counts,omitempty"`
	}{l.GetRoutingSummary(), l.GetBlockedBy(), l.GetBlockedText(), considered, counts}})
}

func (c *call) explain(why *qualificationv1.ExplainResponse, l *leadv1.Lead) error {
	out := c.cmd.OutOrStdout()
	fmt.Fprintf(out, "Lead %s is %s.\n", cell(l.GetLeadId()), lead.StateWord(l.GetState()))
	if l.GetHistorical() {
		fmt.Fprintln(out, "It is imported history: no decision is taken on it.")
	}
	if l.GetBlockedText() != "" {
		fmt.Fprintf(out, "It waits for %s: %s\n", cell(lead.WaitsFor(l.GetBlockedBy())), cell(l.GetBlockedText()))
	}
	if a := l.GetAccount(); a != nil {
		fmt.Fprintf(out, "\nAccount\n%s\n", cell(accountText(a)))
		t := table{head: []string{"CANDIDATE", "SURE", "BY", "OWNED"}}
		for _, candidate := range a.GetCandidates() {
			t.add(candidate.GetDomain(), fmt.Sprintf("%d %%", candidate.GetConfidence()), candidate.GetBy(), yesNo(candidate.GetOwned()))
		}
		if err := t.write(indented{out}); err != nil {
			return err
		}
	}
	for _, d := range why.GetDecisions() {
		fmt.Fprintf(out, "\n%s  %s\n", stamp(d.GetRecordedAt()), decisionHead(d))
		fmt.Fprintf(out, "%s\n", cell(d.GetExplanation().GetSummary()))
		if len(d.GetExplanation().GetCriteria()) > 0 {
			if err := criteriaTable(d.GetExplanation()).write(indented{out}); err != nil {
				return err
			}
		}
		for _, m := range d.GetExplanation().GetMissing() {
			fmt.Fprintf(out, "  missing: %s\n", cell(m))
		}
		if said := d.GetExplanation().GetScore(); said != nil {
			fmt.Fprintf(out, "  learned score beside the points (model %d), which decides nothing:\n", said.GetModel())
			if err := writeParts(indented{indented{out}}, said); err != nil {
				return err
			}
		}
		if text := d.GetSmallestChange().GetText(); text != "" {
			fmt.Fprintf(out, "  %s\n", cell(text))
		}
		if d.GetAccountable() != "" {
			fmt.Fprintf(out, "  accountable from then on: %s\n", cell(d.GetAccountable()))
		}
	}
	if len(l.GetConsidered()) == 0 && l.GetRoutingSummary() == "" {
		return nil
	}
	fmt.Fprintf(out, "\nRouting\n%s\n", cell(l.GetRoutingSummary()))
	t := table{head: []string{"CONSIDERED", "ELIGIBLE", "OPEN LEADS", "TURNS", "WEIGHT", "WHY NOT"}}
	for _, m := range l.GetConsidered() {
		load := strconv.FormatInt(m.GetLoad(), 10)
		if m.GetCapacity() > 0 {
			load += " of " + strconv.FormatInt(m.GetCapacity(), 10)
		}
		t.add(m.GetMember(), yesNo(m.GetEligible()), load, strconv.FormatInt(m.GetTurns(), 10), strconv.FormatInt(m.GetWeight(), 10), dash(m.GetText()))
	}
	if err := t.write(indented{out}); err != nil {
		return err
	}
	return writeUnnamed(indented{out}, l)
}

// writeUnnamed says how many more were considered where not each is named.
func writeUnnamed(out io.Writer, l *leadv1.Lead) error {
	more := lead.Unnamed(l.GetCounts(), l.GetConsidered())
	if more == "" {
		return nil
	}
	_, err := fmt.Fprintln(out, cell(more))
	return err
}

// decisionHead names a decision with the versions it rests on.
func decisionHead(d *qualificationv1.Decision) string {
	what := d.GetType()[strings.LastIndexByte(d.GetType(), '.')+1:]
	if s := lead.StageWord(d.GetStage()); s != "" {
		what = s
	} else if what == "LeadNurtured" {
		what = "With marketing"
	}
	var versions []string
	if d.GetAgreementVersion() > 0 {
		versions = append(versions, "agreement "+strconv.FormatInt(d.GetAgreementVersion(), 10))
	}
	for _, v := range [][2]string{{"profile", d.GetProfileVersion()}, {"persona", d.GetPersona()}, {"personas", d.GetPersonaVersion()}, {"purpose", d.GetPurpose()}, {"logic", d.GetLogicVersion()}} {
		if v[1] != "" {
			versions = append(versions, v[0]+" "+v[1])
		}
	}
	if len(versions) == 0 {
		return cell(what)
	}
	return cell(what + " by " + strings.Join(versions, ", "))
}

func criteriaTable(e *leadv1.Explanation) *table {
	t := &table{head: []string{"ASKED", "FOUND", "HELD", "POINTS"}, most: 44}
	for _, c := range e.GetCriteria() {
		var found []string
		for _, v := range c.GetValues() {
			found = append(found, v.GetName()+" = "+v.GetValue())
		}
		points := "-"
		switch {
		case c.GetMust():
			points = "must"
		case c.GetPoints() != 0:
			points = strconv.FormatInt(c.GetPoints(), 10)
		}
		asked := c.GetText()
		if asked == "" {
			asked = c.GetCondition()
		}
		t.add(asked, dash(strings.Join(found, ", ")), yesNo(c.GetMet()), points)
	}
	if e.GetPointsNeeded() > 0 {
		t.add("points in all", "", "", fmt.Sprintf("%d, needed: %d", e.GetPoints(), e.GetPointsNeeded()))
	}
	return t
}

func leadOwner() *cobra.Command {
	return &cobra.Command{
		Use:     "owner ID",
		Short:   "Who has a lead, or why nobody has",
		Example: `  baton lead owner l2c4q…`,
		Args:    exactly("ID"),
		RunE: client(aLead(func(c *call) error {
			o, err := routingv1.NewRoutingServiceClient(c.conn).GetOwner(c.ctx, &routingv1.GetOwnerRequest{LeadId: c.args[0]})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), o)
			}
			_, err = fmt.Fprintln(c.cmd.OutOrStdout(), cell(o.GetText()))
			return err
		})),
	}
}

// stageOf is a lead's stage by its short name, and as the agreement calls it.
func stageOf(l *leadv1.Lead) string {
	word := lead.StageWord(l.GetStage())
	if title := l.GetStageTitle(); title != "" && title != word {
		return word + " (" + title + ")"
	}
	return word
}
