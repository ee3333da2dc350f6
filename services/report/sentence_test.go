package report

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// notEvents are messages of the event files that no event consists of.
var notEvents = map[protoreflect.FullName]string{
	"baton.intake.v1.IntakeRecord":     "a message of INTAKE",
	"baton.intake.v1.DeliveryBody":     "what a seal holds",
	"baton.delivery.v1.ChannelSecrets": "what a seal holds",
}

// eventTypes walks the registry: an event is a message of an event file that is
// no part of another one.
func eventTypes(t *testing.T) []protoreflect.MessageDescriptor {
	t.Helper()
	var all []protoreflect.MessageDescriptor
	parts := map[protoreflect.FullName]bool{}
	files := 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		holdsEvents := strings.HasSuffix(f.Path(), "/event.proto") || strings.HasSuffix(f.Path(), "/record.proto")
		if !strings.HasPrefix(f.Path(), "baton/") || !holdsEvents {
			return true
		}
		files++
		for i := range f.Messages().Len() {
			m := f.Messages().Get(i)
			all = append(all, m)
			markParts(m, parts)
		}
		return true
	})
	if files < 7 {
		t.Fatalf("%d files of events are registered; want those of lead, person, intake, qualification, routing, agreement and audit", files)
	}
	var out []protoreflect.MessageDescriptor
	for _, m := range all {
		if _, not := notEvents[m.FullName()]; !not && !parts[m.FullName()] {
			out = append(out, m)
		}
	}
	return out
}

func markParts(m protoreflect.MessageDescriptor, parts map[protoreflect.FullName]bool) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if f.IsMap() {
			f = f.MapValue()
		}
		if f.Message() != nil {
			parts[f.Message().FullName()] = true
		}
	}
}

func TestEveryEventHasASentence(t *testing.T) {
	types := eventTypes(t)
	packages := map[protoreflect.FullName]int{}
	for _, d := range types {
		packages[d.ParentFile().Package()]++
		typ, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			t.Fatal(err)
		}
		// Empty, and with every part there: neither may fall over.
		for _, full := range []bool{false, true} {
			m := typ.New()
			if full {
				fill(m, 0)
			}
			got := Sentence(m.Interface())
			if strings.HasPrefix(got, "An event ") {
				t.Errorf("%s has no sentence: %q", d.FullName(), got)
			}
			if !strings.HasSuffix(got, ".") || strings.Contains(got, "%!") || full && strings.Contains(got, "  ") {
				t.Errorf("%s: %q is no plain sentence", d.FullName(), got)
			}
		}
	}
	for _, p := range []protoreflect.FullName{
		"baton.lead.v1", "baton.routing.v1", "baton.agreement.v1", "baton.person.v1", "baton.intake.v1", "baton.qualification.v1", "baton.audit.v1",
	} {
		if packages[p] == 0 {
			t.Errorf("no event of %s was found", p)
		}
	}
	if packages["baton.lead.v1"] < 16 {
		t.Errorf("%d events of a lead were found; there are at least 16", packages["baton.lead.v1"])
	}
}

// fill sets every field to something.
func fill(m protoreflect.Message, depth int) {
	if depth > 4 {
		return
	}
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		switch {
		case f.IsMap():
		case f.IsList():
			list := m.Mutable(f).List()
			if f.Message() == nil {
				list.Append(scalar(f))
				continue
			}
			fill(list.AppendMutable().Message(), depth+1)
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), depth+1)
		default:
			m.Set(f, scalar(f))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(1).Number())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("word")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("bytes"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(2)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(2)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(2)
	default:
		return protoreflect.ValueOfInt64(2)
	}
}

func TestSentences(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 3, 2, 11, 30, 0, 0, time.UTC))
	for want, body := range map[string]proto.Message{
		"Offered to ben (offer 2, pool inside) until 2026-03-02 11:30 UTC: ben has the earliest quota window among 3 eligible.": &leadv1.LeadOffered{
			Member: "ben", Offer: 2, Pool: "inside", TakeBy: at, Summary: "ben has the earliest quota window among 3 eligible.",
		},
		"Received from web (unsigned) on 2026-03-02 11:30 UTC.":                                                                               &leadv1.LeadReceived{Source: "web", ReceivedAt: at},
		"Refused at the door as spam: field fax was filled.":                                                                                  &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "field fax was filled"},
		"Qualified as MQL by version 3 of the agreement: profile reached 40 of 30 points.":                                                    &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 3, Explanation: explained("profile reached 40 of 30 points")},
		"Stays with marketing by version 1 of the agreement: only content was asked for; looked at again on 2026-03-02 11:30 UTC.":            &leadv1.LeadNurtured{AgreementVersion: 1, Explanation: explained("Stays with marketing: only content was asked for."), RecheckAt: at},
		"Called by ana, a qualifier: the person was reached, the customer profile was confirmed, wants to buy within 3 months.":               &leadv1.CallRecorded{Member: "ana", Qualifier: true, Reached: true, FitConfirmed: true, HorizonMonths: proto.Int64(3)},
		"Called by ben, who is no qualifier: nobody was reached.":                                                                             &leadv1.CallRecorded{Member: "ben"},
		"ben rejected offer 1 (no-budget); by version 2 of the agreement it goes back to marketing; with a sealed note.":                      &leadv1.OfferRejected{Member: "ben", Offer: 1, Reason: "no-budget", AgreementVersion: 2, Consequence: leadv1.Consequence_CONSEQUENCE_NURTURE, Note: &leadv1.Sealed{}},
		"cy let offer 1 run out: it was due on 2026-03-02 11:30 UTC.":                                                                         &leadv1.OfferTimedOut{Member: "cy", Offer: 1, DueAt: at},
		"Waits in the line of pool inside: everybody is off duty. It is looked at again at 2026-03-02 11:30 UTC, or as soon as somebody can.": &leadv1.LeadQueued{Pool: "inside", Text: "everybody is off duty. It is looked at again at 2026-03-02 11:30 UTC, or as soon as somebody can.", LookAgainAt: at},
		"ana touched the person by telephone.":                                                                                                &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Channel: "call"},
		"The person came to ana by e-mail: spoke, the person was reached, which took 1 minute.":                                               &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Channel: "email", Direction: "in", Disposition: "spoke", Reached: true, Minutes: 1},
		"ana touched the person by telephone: no-answer, the person was not reached.":                                                         &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Channel: "call", Direction: "out", Disposition: "no-answer"},
		"ana brought the deal to the stage offer, which took 90 minutes.":                                                                     &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, Member: "ana", DealStage: "offer", Minutes: 90},
		"ana gave feedback: interest 4 of 5; because of urgent, budget; talk: well; ease 2 of 5; missing was timing; industry retail; persona boss; they said “too slow”, “month end”; with a sealed note.": &leadv1.FeedbackGiven{Member: "ana", Interest: 4, Ease: 2, Why: []string{"urgent", "budget"}, Talk: "well", Missing: []string{"timing"}, Vertical: "retail", Persona: "boss", Phrases: []string{"too slow", "month end"}, Note: &leadv1.Sealed{KeyId: "n"}},
		"ana works in team north, under mia, in office berlin from then on.":                           &routingv1.MemberPlaced{Member: "ana", Team: "north", Manager: "mia", Office: "berlin"},
		"ana works in no team from then on.":                                                           &routingv1.MemberPlaced{Member: "ana"},
		"ana won the deal worth 1234.05 EUR.":                                                          &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 123405, Currency: "EUR"},
		"ana won the deal worth 500 JPY.":                                                              &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 500, Currency: "JPY"},
		"ana won the deal worth 0.05 EUR.":                                                             &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 5, Currency: "EUR"},
		"Imported history: ana lost the deal (price).":                                                 &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Member: "ana", Reason: "price", Historical: true},
		"ana is away until 2026-03-02 11:30 UTC (holiday).":                                            &routingv1.AvailabilityChanged{Member: "ana", Away: true, Until: at, Reason: "holiday"},
		"ana got another token; the one before has ended.":                                             &routingv1.MemberTokenRenewed{Member: "ana", TokenHash: make([]byte, 32)},
		"Moved by hand: taken from ana, to whom the rules choose next but not cy (overload), move b1.": &leadv1.LeadReassigned{From: "ana", Reason: "overload", BatchId: "b1", Excluded: []string{"cy", "ana"}},
		"Moved by hand: taken out of the line, for ben (customer-wish), move b1; with a sealed note.":  &leadv1.LeadReassigned{To: "ben", Reason: "customer-wish", BatchId: "b1", Note: &leadv1.Sealed{}},
		"Move b1 was taken back by move b2: ana has it again as their own.":                            &leadv1.LeadReassigned{From: "ben", To: "ana", Reason: "undone", BatchId: "b2", Undoes: "b1", Accepted: true},
		"Move b1 was taken back by move b2: it goes back to ana (other).":                              &leadv1.LeadReassigned{From: "ben", To: "ana", Reason: "other", BatchId: "b2", Undoes: "b1"},
		"Move b1 was taken back by move b2: it waits in line again, where it was.":                     &leadv1.LeadReassigned{From: "ben", Reason: "undone", BatchId: "b2", Undoes: "b1"},
		"ana was reminded of offer 2, which stands until 2026-03-02 11:30 UTC.":                        &leadv1.OfferReminded{Member: "ana", Offer: 2, TakeBy: at},
		"ana is away from 2026-03-02 11:30 UTC on (holiday).":                                          &routingv1.AvailabilityChanged{Member: "ana", Away: true, From: at, LeaveId: "a1", Reason: "holiday"},
		"ana is away from 2026-03-02 11:30 UTC on, until 2026-03-02 11:30 UTC.":                        &routingv1.AvailabilityChanged{Member: "ana", Away: true, From: at, Until: at},
		"ana took leave a1 back.":                                                                      &routingv1.AvailabilityChanged{Member: "ana", LeaveId: "a1"},
		"ana signed in for the day.":                                                                   &routingv1.PresenceChanged{Member: "ana", Present: true},
		"ana signed out.":                                                                              &routingv1.PresenceChanged{Member: "ana"},
		"ana is back.":                                                                                 &routingv1.AvailabilityChanged{Member: "ana"},
		"The pools moved on: 2 offered, 1 released.":                                                   &routingv1.PoolAdvanced{Steps: []*routingv1.PoolStep{{Kind: 1}, {Kind: 4}, {Kind: 1}}},
		"sales signed version 2 of the agreement, which is in force from 2026-03-02 11:30 UTC.":        &agreementv1.AgreementSigned{Party: "sales", Version: 2, InForceFrom: at},
		"Version 2 of the agreement was proposed: too many students.":                                  &agreementv1.AgreementProposed{Version: 2, Why: "too many students"},
		"Version 2 of the agreement was read.":                                                         &agreementv1.AgreementRead{Version: 2},
		"The exception new-market of version 2 of the agreement has ended, as it was agreed.":          &agreementv1.OverlayEnded{Version: 2, Overlay: "new-market", Until: at},
		"ana owns the person from now on, because of lead l1.":                                         &personv1.OwnerChanged{Member: "ana", LeadId: "l1"},
		"An event that cannot be read.":                                                                nil,
	} {
		if got := Sentence(body); got != want {
			t.Errorf("%T\n got %q\nwant %q", body, got, want)
		}
	}
}
