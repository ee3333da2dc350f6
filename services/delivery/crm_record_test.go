package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

var (
	hub   = channel("hub", deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT, nil)
	force = channel("force", deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE, func(s *deliveryv1.ChannelSet) { s.Pools = []string{"north"} })
)

// Goes red if: a lead is written that was never qualified, that is history or that was
// refused, or one that was qualified is not written after an event that changes it.
func TestWhatARecordIsWrittenAfter(t *testing.T) {
	qualified := &ledger.Event{Body: &leadv1.LeadQualified{}}
	for name, tt := range map[string]struct {
		events []*ledger.Event
		want   []string
	}{
		"qualified":            {[]*ledger.Event{qualified}, []string{"hub> record"}},
		"of a pool":            {[]*ledger.Event{qualified, {Body: offer("ana", "north", 1)}}, []string{"hub> record", "force> record"}},
		"never qualified":      {[]*ledger.Event{{Body: &leadv1.LeadReceived{}}, {Body: &leadv1.LeadNurtured{}}, {Body: &leadv1.SubmissionRevised{}}, {Body: &leadv1.LeadRemapped{}}}, nil},
		"history":              {[]*ledger.Event{{Body: &leadv1.LeadReceived{Historical: true}}, {Body: &leadv1.LeadReassigned{To: "ana", Reason: lead.ReasonImported}}, {Body: &leadv1.OutcomeRecorded{Historical: true}}, {Body: &leadv1.LeadReassigned{To: "ben"}}}, nil},
		"telling says nothing": {[]*ledger.Event{{Body: &leadv1.NoticeSent{NoticeId: "x"}}, {Body: &leadv1.RecordWritten{Channel: "hub"}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTold(hub, force)
			for _, e := range tt.events {
				again := *e
				b.happens(&again)
			}
			if diff := cmp.Diff(tt.want, b.calledFor()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for name, tt := range map[string]struct {
		event *ledger.Event
		want  []string
	}{
		"taken":               {&ledger.Event{Body: &leadv1.OfferAccepted{}}, []string{"hub> record"}},
		"declined":            {&ledger.Event{Body: &leadv1.OfferRejected{}}, []string{"hub> record"}},
		"moved":               {&ledger.Event{Body: &leadv1.LeadReassigned{To: "ben"}}, []string{"hub> record"}},
		"back with marketing": {&ledger.Event{Body: &leadv1.LeadNurtured{}}, []string{"hub> record"}},
		"won":                 {&ledger.Event{Body: &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON}}, []string{"hub> record"}},
		"revised":             {&ledger.Event{Body: &leadv1.SubmissionRevised{}}, []string{"hub> record"}},
		"read again":          {&ledger.Event{Body: &leadv1.LeadRemapped{}}, []string{"hub> record"}},
		"disputed":            {&ledger.Event{Body: &leadv1.SubmissionRevised{Conflict: true}}, nil},
		"ran out":             {&ledger.Event{Body: &leadv1.OfferTimedOut{}}, nil},
		"called":              {&ledger.Event{Body: &leadv1.CallRecorded{}}, nil},
	} {
		for _, after := range []string{"", "nurtured", "refused"} {
			t.Run(name+after, func(t *testing.T) {
				b := newTold(hub)
				b.happens(&ledger.Event{Body: &leadv1.LeadQualified{}})
				want := tt.want
				switch after {
				case "nurtured":
					b.happens(&ledger.Event{Body: &leadv1.LeadNurtured{}})
				case "refused":
					b.happens(&ledger.Event{Body: &leadv1.LeadRefused{}})
					want = nil
				}
				b.written(t, 100)
				event := *tt.event
				b.happens(&event)
				if diff := cmp.Diff(want, b.calledFor()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

// written queues and writes all that is called for, as the lead stood at that sequence.
func (b *told) written(t *testing.T, asOf uint64) {
	t.Helper()
	d := &Delivery{Book: b.Book}
	drafts, err := d.Decide(nil, d.Wake(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, draft := range drafts {
		b.happens(&ledger.Event{Body: draft.Body})
	}
	for _, draft := range drafts {
		b.wrote(b.waiting[draft.Body.(*leadv1.NoticeQueued).GetNoticeId()], written{outcome: outcome{delivered: true}, recordID: "7", asOf: asOf})
	}
}

func (b *told) wrote(n *Notice, w written) []ledger.Draft {
	said := sayWritten(n, w, b.newest(n), monday)
	for _, draft := range said {
		b.happens(&ledger.Event{Body: draft.Body})
	}
	return said
}

// Goes red if: two notices of one record wait at the same time; what happened while a
// record was on its way is never written; or what it holds already is written again.
func TestARecordWaitsOnce(t *testing.T) {
	b := newTold(hub)
	d := &Delivery{Book: b.Book}
	queue := func() *Notice {
		t.Helper()
		drafts, err := d.Decide(nil, d.Wake(nil))
		if err != nil || len(drafts) != 1 {
			t.Fatalf("%d are queued, %v", len(drafts), err)
		}
		b.happens(&ledger.Event{Body: drafts[0].Body})
		return b.waiting[drafts[0].Body.(*leadv1.NoticeQueued).GetNoticeId()]
	}
	none := func(when string) {
		t.Helper()
		if got := d.Wake(nil); len(got) > 0 {
			t.Errorf("%s: called for %v", when, b.calledFor())
		}
	}
	b.happens(&ledger.Event{Body: &leadv1.LeadQualified{}})
	b.happens(&ledger.Event{Body: offer("ana", "north", 1)})
	first := queue()
	none("queued")
	// Read before it was taken: what it says is not all.
	read := b.seq
	taken := b.happens(&ledger.Event{Body: &leadv1.OfferAccepted{Member: "ana", Offer: 1}})
	none("while it is on its way")
	said := b.wrote(first, written{outcome: outcome{delivered: true}, recordID: "7", created: true, asOf: read})
	if len(said) != 2 || said[0].Body.(*leadv1.RecordWritten).GetRecordId() != "7" || !said[1].Body.(*leadv1.NoticeSent).GetDelivered() {
		t.Fatalf("said %v", said)
	}
	second := queue()
	if second.ID == first.ID || second.EventID != taken.ID {
		t.Errorf("queued %s of %s after %s", second.ID, second.EventID, first.ID)
	}
	b.happens(&ledger.Event{Body: &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING}})
	b.wrote(second, written{outcome: outcome{delivered: true}, recordID: "7", asOf: b.seq})
	none("when all of it is written")

	// A refusal of what the lead was is no refusal of what it is.
	b.happens(&ledger.Event{Body: &leadv1.SubmissionRevised{}})
	third := queue()
	read = b.seq
	b.happens(&ledger.Event{Body: &leadv1.SubmissionRevised{}})
	b.wrote(third, written{outcome: outcome{fault: "VALIDATION_ERROR", final: true}, asOf: read})
	if b.waiting[third.ID] == nil || !b.waiting[third.ID].Due.Equal(monday) {
		t.Error("it is given up as it was, though the lead moved")
	}
	b.wrote(b.waiting[third.ID], written{outcome: outcome{fault: "VALIDATION_ERROR", final: true}, asOf: b.seq})
	if b.waiting[third.ID] != nil || b.channels["hub"].GivenUp != 1 {
		t.Error("it is not given up as it is")
	}
	none("given up")
	if len(b.records) != 0 {
		t.Errorf("%d records are to be written", len(b.records))
	}
	// A channel that is gone gives up, however the lead moves.
	b.happens(&ledger.Event{Body: &leadv1.SubmissionRevised{}})
	last := queue()
	b.happens(&ledger.Event{Body: &leadv1.SubmissionRevised{}})
	b.wrote(last, written{outcome: outcome{fault: faultGone, final: true}})
	if b.waiting[last.ID] != nil {
		t.Error("a channel that is gone is tried again")
	}
}

// What a record holds: nothing empty is made up but what Salesforce needs, and only for a
// new one.
func TestRecords(t *testing.T) {
	s := &lead.State{
		ID: "l1", Source: "web", Owner: "ana", Stage: leadv1.Stage_STAGE_SQL, State: leadv1.State_STATE_ACCEPTED,
		Features: &leadv1.Features{Country: "DE", Product: "cnc"}, First: lead.Touch{Attribution: &leadv1.Attribution{Campaign: "fair"}},
	}
	all := map[string]string{}
	for _, fact := range []string{"email", "first_name", "last_name", "name", "phone", "company", "job_title", "country", "stage", "state", "owner", "source", "campaign", "product", "lead_id"} {
		all["f_"+fact] = fact
	}
	p := &leadv1.PersonalData{Email: "ana@acme.example", Phone: "+49 30 1", Name: "Ana Lund", FirstName: "Ana", LastName: "Lund", Company: "Acme", JobTitle: "CTO"}
	full := recordOf(&deliveryv1.ChannelSet{Kind: deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT, Fields: all}, s, p, false)
	want := Record{ExternalID: "l1", Fields: []Field{
		{"f_campaign", "fair"},
		{"f_company", "Acme"},
		{"f_country", "DE"},
		{"f_email", "ana@acme.example"},
		{"f_first_name", "Ana"},
		{"f_job_title", "CTO"},
		{"f_last_name", "Lund"},
		{"f_lead_id", "l1"},
		{"f_name", "Ana Lund"},
		{"f_owner", "ana"},
		{"f_phone", "+49 30 1"},
		{"f_product", "cnc"},
		{"f_source", "web"},
		{"f_stage", "SQL"},
		{"f_state", "accepted"},
	}}
	if diff := cmp.Diff(want, full); diff != "" {
		t.Error(diff)
	}
	usual := func(kind deliveryv1.ChannelKind) *deliveryv1.ChannelSet {
		set, err := changed(nil, &deliveryv1.SetChannelRequest{Channel: "crm", Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	const salesforce, hubspot = deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE, deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT
	for name, tt := range map[string]struct {
		kind    deliveryv1.ChannelKind
		p       *leadv1.PersonalData
		written bool
		want    string
	}{
		"Salesforce":             {salesforce, p, false, "Company=Acme Email=ana@acme.example FirstName=Ana LastName=Lund Phone=+49 30 1 Title=CTO"},
		"a name as a whole":      {salesforce, &leadv1.PersonalData{Name: "Ana Lund"}, false, "Company=unknown LastName=Ana Lund"},
		"a first name alone":     {salesforce, &leadv1.PersonalData{Name: "Ana", FirstName: "Ana"}, false, "Company=unknown FirstName=Ana LastName=unknown"},
		"nobody knows":           {salesforce, &leadv1.PersonalData{}, false, "Company=unknown LastName=unknown"},
		"somebody may know now":  {salesforce, &leadv1.PersonalData{}, true, ""},
		"HubSpot":                {hubspot, p, false, "company=Acme email=ana@acme.example firstname=Ana jobtitle=CTO lastname=Lund phone=+49 30 1"},
		"HubSpot needs no names": {hubspot, &leadv1.PersonalData{}, false, ""},
	} {
		var got []string
		for _, f := range recordOf(usual(tt.kind), s, tt.p, tt.written).filled() {
			got = append(got, f.Name+"="+f.Value)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What a channel of a customer system may be, and what can never change.
func TestCustomerChannels(t *testing.T) {
	const salesforce, hubspot = deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE, deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT
	stands, err := changed(nil, &deliveryv1.SetChannelRequest{Channel: "crm", Kind: salesforce})
	if err != nil || stands.GetObject() != "Lead" || stands.GetIdField() != "Baton_Lead_Id__c" {
		t.Fatal(stands, err)
	}
	email := map[string]string{"Email": "email"}
	for name, tt := range map[string]struct {
		before *deliveryv1.ChannelSet
		req    *deliveryv1.SetChannelRequest
		ok     bool
	}{
		"fields of its own":           {stands, &deliveryv1.SetChannelRequest{Fields: email}, true},
		"the same id":                 {stands, &deliveryv1.SetChannelRequest{IdField: "Baton_Lead_Id__c", Object: "Lead"}, true},
		"another id":                  {stands, &deliveryv1.SetChannelRequest{IdField: "Other__c"}, false},
		"another object":              {stands, &deliveryv1.SetChannelRequest{Object: "Contact"}, false},
		"contacts as they are usual":  {nil, &deliveryv1.SetChannelRequest{Kind: salesforce, Object: "Contact"}, false},
		"contacts with fields":        {nil, &deliveryv1.SetChannelRequest{Kind: salesforce, Object: "Contact", Fields: email}, true},
		"HubSpot has contacts":        {nil, &deliveryv1.SetChannelRequest{Kind: hubspot, Object: "Lead"}, false},
		"events":                      {nil, &deliveryv1.SetChannelRequest{Kind: hubspot, Events: []string{"LeadOffered"}}, false},
		"the id is no field":          {nil, &deliveryv1.SetChannelRequest{Kind: hubspot, Fields: map[string]string{"baton_lead_id": "email"}}, false},
		"fields of what is told only": {nil, &deliveryv1.SetChannelRequest{Kind: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Fields: email}, false},
	} {
		tt.req.Channel = "crm"
		if _, err := changed(tt.before, tt.req); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	mapped, _ := changed(stands, &deliveryv1.SetChannelRequest{Channel: "crm", Fields: email})
	if diff := cmp.Diff(email, mapped.GetFields()); diff != "" {
		t.Error(diff)
	}
	if back, err := changed(mapped, &deliveryv1.SetChannelRequest{Channel: "crm", Clear: []string{"fields"}}); err != nil || len(back.GetFields()) != 6 {
		t.Error(back, err)
	}
	for token, ok := range map[string]bool{"": false, "id": false, "id:": false, ":secret": false, "id:secret": true, "id:se:cret": true} {
		if err := enters(salesforce, token); (err == nil) != ok || err != nil && token != "" && strings.Contains(err.Error(), "se:cret") {
			t.Errorf("%q: %v", token, err)
		}
	}
	if enters(hubspot, "pat-1") != nil || enters(hubspot, "") == nil {
		t.Error("HubSpot wants a token, and nothing else")
	}
}

// The other side's codes are words; what is none says nothing.
func TestCodes(t *testing.T) {
	for code, want := range map[string]string{
		"VALIDATION_ERROR": "VALIDATION_ERROR", "ana@acme.example is wrong": "refused", "": "refused",
		"FIELD_CUSTOM_VALIDATION_EXCEPTION_AND_MORE": "FIELD_CUSTOM_VALIDATION_EXCEPTIO",
	} {
		if got := codeWord(code); got != want {
			t.Errorf("%q is said as %q, want %q", code, got, want)
		}
	}
	for _, tt := range []struct {
		row  Row
		want written
	}{
		{Row{RecordID: "7", Created: true}, written{outcome: outcome{delivered: true}, recordID: "7", created: true, asOf: 5}},
		{Row{Fault: "LOCKED", Again: true}, written{outcome: outcome{fault: "LOCKED"}, asOf: 5}},
		{Row{Fault: "LOCKED"}, written{outcome: outcome{fault: "LOCKED", final: true}, asOf: 5}},
		{Row{}, written{outcome: outcome{fault: faultUnreadable}, asOf: 5}},
		{Row{RecordID: strings.Repeat("7", 129)}, written{outcome: outcome{fault: faultUnreadable}, asOf: 5}},
	} {
		if got := (written{asOf: 5}).of(tt.row); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.row, got, tt.want)
		}
	}
}

// Batches: many in one call, one call at a time, and none while rest was asked for.
func TestRecordsGoTogether(t *testing.T) {
	b := newTold(hub, channel("told", deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, nil))
	for i := range 250 {
		b.happens(&ledger.Event{Subject: "lead.l" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Body: &leadv1.LeadQualified{}})
	}
	d := &Delivery{Book: b.Book}
	for items := d.Wake(nil); len(items) > 0; items = d.Wake(nil) {
		drafts, err := d.Decide(nil, items)
		if err != nil {
			t.Fatal(err)
		}
		for _, draft := range drafts {
			b.happens(&ledger.Event{Subject: draft.Subject, Body: draft.Body})
		}
	}
	w := &Worker{Book: b.Book, flying: map[string]bool{}, lanes: map[string]int{}, rests: map[string]time.Time{}, nudge: make(chan struct{}, 1)}
	var sizes []int
	for {
		due, _ := w.ready(monday)
		if len(due) == 0 {
			break
		}
		if len(due) > 1 {
			t.Fatalf("%d calls at the same time", len(due))
		}
		sizes = append(sizes, len(due[0]))
		w.lanes["hub"]++
		if again, _ := w.ready(monday); len(again) > 0 {
			t.Fatal("a second call while one is under way")
		}
		for _, n := range due[0] {
			b.wrote(b.waiting[n.ID], written{outcome: outcome{delivered: true}, recordID: "7", asOf: 1 << 40})
		}
		w.landed(due[0])
	}
	if diff := cmp.Diff([]int{100, 100, 50}, sizes); diff != "" {
		t.Error(diff)
	}
	b.happens(&ledger.Event{Subject: "lead.lx", Body: &leadv1.LeadQualified{}})
	drafts, _ := d.Decide(nil, d.Wake(nil))
	b.happens(&ledger.Event{Subject: "lead.lx", Body: drafts[0].Body})
	w.rests["hub"] = monday.Add(time.Hour)
	if due, next := w.ready(monday); len(due) > 0 || !next.Equal(monday.Add(time.Hour)) {
		t.Errorf("%d calls to who asked for rest; looked at again at %s", len(due), next)
	}
	if due, _ := w.ready(monday.Add(time.Hour)); len(due) != 1 {
		t.Error("after the rest nothing is sent")
	}
}
