package main

import (
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

var outcomeKinds = map[string]leadv1.OutcomeKind{
	"touch": leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, "working": leadv1.OutcomeKind_OUTCOME_KIND_WORKING,
	"stage": leadv1.OutcomeKind_OUTCOME_KIND_STAGE,
	"won":   leadv1.OutcomeKind_OUTCOME_KIND_WON, "lost": leadv1.OutcomeKind_OUTCOME_KIND_LOST,
}

// external reads the source's own id of the row's lead.
func (m *mapping) external(rec *record) (string, *refusal) {
	id := m.text(rec.cells, fieldExternalID)
	switch {
	case id == "":
		return "", &refusal{m.own[fieldExternalID].name, "external_id is empty; it says which lead is meant"}
	case len(id) > 512:
		return "", &refusal{m.own[fieldExternalID].name, "external_id is longer than 512 bytes"}
	}
	return id, nil
}

// when reads the time of a fact, which must be there.
func (m *mapping) when(rec *record) (*timestamppb.Timestamp, *refusal) {
	t, no := m.date(rec.cells, fieldAt)
	switch {
	case no != nil:
		return nil, no
	case t == nil:
		return nil, &refusal{m.own[fieldAt].name, fieldAt + " is empty"}
	}
	return timestamppb.New(*t), nil
}

// factKey names a fact for ever: by the source's own id for it, or by all that
// its columns hold. It is a digest: the log holds it in the clear.
func (m *mapping) factKey(rec *record) string {
	if id := m.text(rec.cells, fieldID); id != "" {
		return "id:" + digest([]byte(id))
	}
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(m.own)) {
		b.WriteString(field + "\x00" + m.text(rec.cells, field) + "\x00")
	}
	return "row:" + digest([]byte(b.String()))
}

// outcome is a row as what became of a lead. Its lead is not resolved yet.
func (m *mapping) outcome(rec *record) (*feedbackv1.OutcomeRow, string, *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, "", no
	}
	external, no := m.external(rec)
	if no != nil {
		return nil, "", no
	}
	row := &feedbackv1.OutcomeRow{Line: rec.line, LeadId: "unresolved", Key: m.factKey(rec)}
	if row.OccurredAt, no = m.when(rec); no != nil {
		return nil, "", no
	}
	word, no := m.outcomeWord(rec.cells, []string{"touch", "working", "stage", "won", "lost"})
	if no != nil {
		return nil, "", no
	}
	row.Kind = outcomeKinds[word]
	if row.Member, no = m.handle(rec.cells, fieldMember); no != nil {
		return nil, "", no
	}
	switch word {
	case "touch":
		row.Channel = strings.ToLower(m.text(rec.cells, fieldChannel))
		row.Disposition = m.word(rec.cells, fieldDisposition)
		if row.Direction, no = m.direction(rec.cells); no != nil {
			return nil, "", no
		}
	case "stage":
		if row.DealStage = m.word(rec.cells, fieldDealStage); row.GetDealStage() == "" {
			return nil, "", &refusal{reason: "the outcome is stage, and deal_stage is empty"}
		}
	case "lost":
		row.Reason = m.word(rec.cells, fieldReason)
	case "won":
		if row.ValueMinor, row.Currency, no = m.money(rec.cells); no != nil {
			return nil, "", no
		}
	}
	if row.Minutes, no = m.minutes(rec.cells); no != nil {
		return nil, "", no
	}
	if err := access.Validate(row); err != nil {
		return nil, "", &refusal{reason: access.FaultOf(err).Error()}
	}
	return row, external, nil
}

// word reads a word as the agreement spells one.
func (m *mapping) word(cells []string, field string) string {
	return strings.Join(strings.Fields(strings.ToLower(m.text(cells, field))), "-")
}

// direction reads who came to whom.
func (m *mapping) direction(cells []string) (string, *refusal) {
	switch typed := strings.ToLower(m.text(cells, fieldDirection)); typed {
	case "", lead.DirectionIn, lead.DirectionOut:
		return typed, nil
	case "inbound":
		return lead.DirectionIn, nil
	case "outbound":
		return lead.DirectionOut, nil
	}
	return "", &refusal{m.own[fieldDirection].name, "the direction is neither in nor out"}
}

// minutes reads how long something took; 0 = not said.
func (m *mapping) minutes(cells []string) (int32, *refusal) {
	typed := m.text(cells, fieldMinutes)
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(typed, 10, 32)
	if err != nil || n < 0 || n > 1440 {
		return 0, &refusal{m.own[fieldMinutes].name, "the minutes are no whole number from 0 to 1440"}
	}
	return int32(n), nil
}

// ownerAt is a row as who had a lead of the past at an instant. Its lead is not
// resolved yet.
func (m *mapping) ownerAt(rec *record) (*feedbackv1.OwnerRow, string, *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, "", no
	}
	external, no := m.external(rec)
	if no != nil {
		return nil, "", no
	}
	row := &feedbackv1.OwnerRow{Line: rec.line, LeadId: "unresolved", Key: m.factKey(rec)}
	if row.OccurredAt, no = m.when(rec); no != nil {
		return nil, "", no
	}
	if row.Member, no = m.handle(rec.cells, fieldOwner); no != nil {
		return nil, "", no
	}
	if row.GetMember() == "" {
		return nil, "", &refusal{m.own[fieldOwner].name, "the owner is empty"}
	}
	if err := access.Validate(row); err != nil {
		return nil, "", &refusal{reason: access.FaultOf(err).Error()}
	}
	return row, external, nil
}

// activity is a row as a touch. Its lead is not resolved yet; where the row
// names none, the address or the number says whose it is.
func (m *mapping) activity(source string, rec *record) (*intakev1.RecordTouchRequest, string, *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, "", no
	}
	touch := &intakev1.Touch{
		ExternalId: m.factKey(rec), Email: m.text(rec.cells, fieldEmail), Phone: m.text(rec.cells, fieldPhone),
		Kind: strings.Join(strings.Fields(strings.ToLower(m.text(rec.cells, fieldKind))), "-"),
	}
	external := m.text(rec.cells, fieldExternalID)
	if external == "" && touch.GetEmail() == "" && touch.GetPhone() == "" {
		return nil, "", &refusal{reason: "nothing says whose it is: external_id, email and phone are empty"}
	}
	var no *refusal
	if touch.OccurredAt, no = m.when(rec); no != nil {
		return nil, "", no
	}
	at := &leadv1.Attribution{
		Source: m.text(rec.cells, "utm_source"), Medium: m.text(rec.cells, "utm_medium"), Campaign: m.text(rec.cells, "utm_campaign"),
		Term: m.text(rec.cells, "utm_term"), Content: m.text(rec.cells, "utm_content"),
	}
	if at.GetSource()+at.GetMedium()+at.GetCampaign()+at.GetTerm()+at.GetContent() != "" {
		touch.Attribution = at
	}
	req := &intakev1.RecordTouchRequest{Source: source, Touch: touch}
	if err := access.Validate(req); err != nil {
		return nil, "", &refusal{reason: access.FaultOf(err).Error()}
	}
	return req, external, nil
}

// place is where a row says that somebody works; nil where no column does.
func (m *mapping) place(rec *record) (*routingv1.PlaceMemberRequest, *refusal) {
	said := false
	for _, field := range []string{fieldTeam, fieldManager, fieldOffice} {
		said = said || m.text(rec.cells, field) != ""
	}
	if !said {
		return nil, nil
	}
	req := &routingv1.PlaceMemberRequest{Team: m.word(rec.cells, fieldTeam), Office: m.word(rec.cells, fieldOffice)}
	from, no := m.date(rec.cells, fieldFrom)
	if no != nil {
		return nil, no
	}
	if from != nil {
		// Of a place that is dated, only the same one is the same.
		req.From, req.IdempotencyKey = timestamppb.New(*from), m.factKey(rec)
	}
	if req.Member, no = m.handle(rec.cells, fieldHandle); no != nil {
		return nil, no
	}
	if req.Manager, no = m.handle(rec.cells, fieldManager); no != nil {
		return nil, no
	}
	if err := access.Validate(req); err != nil {
		return nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return req, nil
}

// member is a row as somebody of the company.
func (m *mapping) member(rec *record) (*routingv1.AddMemberRequest, *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, no
	}
	req := &routingv1.AddMemberRequest{Name: m.text(rec.cells, fieldName), Email: m.text(rec.cells, fieldEmail)}
	var no *refusal
	if req.Member, no = m.handle(rec.cells, fieldHandle); no != nil {
		return nil, no
	}
	if req.GetMember() == "" {
		return nil, &refusal{m.own[fieldHandle].name, "the handle is empty"}
	}
	for _, role := range strings.FieldsFunc(strings.ToLower(m.text(rec.cells, fieldRoles)), func(r rune) bool { return strings.ContainsRune(",;|/ ", r) }) {
		if !access.IsRole(role) {
			return nil, &refusal{m.own[fieldRoles].name, "there is no such role; the roles are " + strings.Join(access.Roles(), ", ")}
		}
		req.Roles = append(req.Roles, role)
	}
	if _, err := mail.ParseAddress(req.GetEmail()); err != nil && req.GetEmail() != "" {
		return nil, &refusal{m.own[fieldEmail].name, "the e-mail address does not parse"}
	}
	if err := access.Validate(req); err != nil {
		return nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return req, nil
}

// account is a row as a company, and what of it is left out because it is not understood.
func (m *mapping) account(rec *record) (row *intakev1.AccountRow, left []warning, no *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, nil, no
	}
	row = &intakev1.AccountRow{
		Line: rec.line, Industry: m.text(rec.cells, fieldIndustry), Domain: m.text(rec.cells, fieldDomain), Name: m.text(rec.cells, fieldName),
		Segment: strings.Join(strings.Fields(strings.ToLower(m.text(rec.cells, fieldSegment))), "-"),
	}
	if row.Owner, no = m.handle(rec.cells, fieldOwner); no != nil {
		return nil, nil, no
	}
	if row.GetDomain() == "" && row.GetName() == "" {
		return nil, nil, &refusal{reason: "neither a domain nor a name says which company it is"}
	}
	var understood bool
	if text := m.text(rec.cells, fieldEmployees); text != "" {
		if row.Employees, understood = intake.Employees(text); !understood {
			left = append(left, warning{fieldEmployees, notUnderstood, refusal{m.own[fieldEmployees].name, "the number of employees is not understood and left out"}})
		}
	}
	if text := m.text(rec.cells, fieldCountry); text != "" {
		if row.Country, understood = intake.Country(text); !understood {
			left = append(left, warning{fieldCountry, notUnderstood, refusal{m.own[fieldCountry].name, "there is no such country, and it is left out; say in the map which one is meant"}})
		}
	}
	if err := access.Validate(row); err != nil {
		return nil, nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return row, left, nil
}
