package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Goes red if: a token is random or depends on less than member, actor and key
// (Server.token), the roster does not remember commands (Member.remember), or a
// repeat's content is not compared (repeat, sameName).
func TestARepeatedChangeOfAMemberIsAnsweredAsTheFirst(t *testing.T) {
	h := start(t, Config{})
	h.team("mia")
	people := routingv1.NewRoutingServiceClient(h.conn)
	add := func() *routingv1.AddMemberRequest {
		return &routingv1.AddMemberRequest{Member: "ana", Roles: []string{access.Sales}, Name: "Ana Lima", Email: "ana@firm.example", IdempotencyKey: "k"}
	}
	// Many at once: some share a batch with the first, some come after it.
	answers := make([]*routingv1.AddMemberResponse, 20)
	var calls sync.WaitGroup
	for i := range answers {
		calls.Go(func() { answers[i], _ = people.AddMember(h.as(""), add()) })
	}
	calls.Wait()
	first := answers[0]
	for i, a := range answers {
		if a.GetToken() == "" || a.GetToken() != first.GetToken() || a.GetSequence() == 0 || a.GetSequence() != first.GetSequence() {
			t.Fatalf("call %d was answered with the token of event %d, the first with that of %d; the same: %v", i, a.GetSequence(), first.GetSequence(), a.GetToken() == first.GetToken())
		}
	}
	renewed := must[*routingv1.RenewTokenResponse](t)(people.RenewToken(h.as(""), &routingv1.RenewTokenRequest{Member: "mia", IdempotencyKey: "k"}))
	h.tokens["mia"] = renewed.GetToken()
	if renewed.GetToken() == first.GetToken() {
		t.Error("two members have one token")
	}
	away := &routingv1.SetAvailabilityRequest{Member: "ana", Away: true, Reason: "dentist", IdempotencyKey: "away"}
	must[*routingv1.Member](t)(people.SetAvailability(h.as(""), away))
	must[*routingv1.Member](t)(people.SetAvailability(h.as(""), &routingv1.SetAvailabilityRequest{Member: "ana", IdempotencyKey: "back"}))
	types := h.memberEvents()

	h.stop()
	h = start(t, Config{Data: h.cfg.Data, clock: h.time})
	people = routingv1.NewRoutingServiceClient(h.conn)
	again := must[*routingv1.AddMemberResponse](t)(people.AddMember(h.as(""), add()))
	if again.GetToken() != first.GetToken() || again.GetSequence() != first.GetSequence() || again.GetMember().GetName() != "Ana Lima" {
		t.Errorf("after a restart the repeat was answered with event %d and %v", again.GetSequence(), again.GetMember())
	}
	h.tokens["ana"] = again.GetToken()
	must[*routingv1.Member](t)(people.SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{Away: true, IdempotencyKey: "own"}))
	must[*routingv1.Member](t)(people.SetAvailability(h.as("ana"), &routingv1.SetAvailabilityRequest{IdempotencyKey: "own back"}))
	if m := must[*routingv1.Member](t)(people.SetAvailability(h.as(""), away)); m.GetAway() {
		t.Error("a repeat of what was done long ago was done again")
	}
	if r := must[*routingv1.RenewTokenResponse](t)(people.RenewToken(h.as(""), &routingv1.RenewTokenRequest{Member: "mia", IdempotencyKey: "k"})); r.GetToken() != renewed.GetToken() || r.GetSequence() != renewed.GetSequence() {
		t.Errorf("the repeat of another token was answered with event %d, not %d", r.GetSequence(), renewed.GetSequence())
	}

	// Other content under a used key is refused; another actor's key is another.
	for name, change := range map[string]func(*routingv1.AddMemberRequest){
		"roles":  func(r *routingv1.AddMemberRequest) { r.Roles = []string{access.Manager} },
		"name":   func(r *routingv1.AddMemberRequest) { r.Name = "Ana Lopez" },
		"e-mail": func(r *routingv1.AddMemberRequest) { r.Name, r.Email = "", "" },
	} {
		other := add()
		change(other)
		if a, err := people.AddMember(h.as(""), other); !fault.Is(access.FaultOf(err), fault.Conflict) || a.GetToken() != "" {
			t.Errorf("another %s under the same key: %v", name, err)
		}
	}
	if _, err := people.RenewToken(h.as(""), &routingv1.RenewTokenRequest{Member: "ana", IdempotencyKey: "k"}); !fault.Is(access.FaultOf(err), fault.Conflict) {
		t.Errorf("another token under the key by which the member was added: %v", err)
	}
	boss := must[*routingv1.AddMemberResponse](t)(people.AddMember(h.as(""), &routingv1.AddMemberRequest{Member: "boss", Roles: []string{access.Manager}}))
	h.tokens["boss"] = boss.GetToken()
	if _, err := people.AddMember(h.as("boss"), add()); !fault.Is(access.FaultOf(err), fault.State) {
		t.Errorf("somebody else's key opened what it was not given for: %v", err)
	}
	theirs := must[*routingv1.RenewTokenResponse](t)(people.RenewToken(h.as("boss"), &routingv1.RenewTokenRequest{Member: "mia", IdempotencyKey: "k"}))
	if theirs.GetToken() == renewed.GetToken() || theirs.GetSequence() == renewed.GetSequence() {
		t.Error("two actors' calls with the same key are one")
	}

	leave := &routingv1.DeactivateMemberRequest{Member: "ana", Reason: "left", IdempotencyKey: "leave"}
	must[*routingv1.Member](t)(people.DeactivateMember(h.as(""), leave))
	if m := must[*routingv1.Member](t)(people.DeactivateMember(h.as(""), leave)); !m.GetDeactivated() {
		t.Error("who was taken out is not")
	}
	// Without a key each call is its own: at one instant too.
	must[*routingv1.Member](t)(people.SetAvailability(h.as(""), &routingv1.SetAvailabilityRequest{Member: "mia", Away: true}))
	must[*routingv1.Member](t)(people.SetAvailability(h.as(""), &routingv1.SetAvailabilityRequest{Member: "mia"}))
	if m := must[*routingv1.Member](t)(people.SetAvailability(h.as(""), &routingv1.SetAvailabilityRequest{Member: "mia", Away: true})); !m.GetAway() {
		t.Error("a call without a key was taken for the repeat of another")
	}
	same(t, "events of before", types, map[string]int{"MemberAdded": 2, "MemberTokenRenewed": 1, "AvailabilityChanged": 2})
	same(t, "events", h.memberEvents(), map[string]int{"MemberAdded": 3, "MemberTokenRenewed": 2, "AvailabilityChanged": 7, "MemberDeactivated": 1})
}

// memberEvents counts what was said about members, by type.
func (h *house) memberEvents() map[string]int {
	h.t.Helper()
	out := map[string]int{}
	h.stored(ledger.StreamLedger, func(r *ledger.Record) {
		if !strings.HasPrefix(r.Subject, "org.member.") {
			return
		}
		typ := must[*ledger.Event](h.t)(r.Decode()).Type
		out[typ[strings.LastIndex(typ, ".")+1:]]++
	})
	return out
}

// Goes red if: a member is still known by the token before (Roster.give).
func TestAnotherTokenEndsTheOneBefore(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben")
	h.agree(h.document())
	id := h.submit("one", filled(1))
	h.settle()
	holder := h.lead(id).GetOfferedTo()
	signIn := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.ConsoleAddr+"/signin", strings.NewReader(url.Values{"token": {h.tokens[holder]}}.Encode())))
	signIn.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signed := must[*http.Response](t)(http.DefaultTransport.RoundTrip(signIn))
	_ = signed.Body.Close()
	page := func() int {
		t.Helper()
		req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.ConsoleAddr+"/leads", nil))
		for _, c := range signed.Cookies() {
			req.AddCookie(c)
		}
		resp := must[*http.Response](t)(http.DefaultTransport.RoundTrip(req))
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	same(t, "signed in, the page", page(), http.StatusOK)

	people := routingv1.NewRoutingServiceClient(h.conn)
	for name, ctx := range map[string]context.Context{"a member": h.as(holder), "nobody": t.Context()} {
		if _, err := people.RenewToken(ctx, &routingv1.RenewTokenRequest{Member: holder}); err == nil {
			t.Errorf("%s gave out another token", name)
		}
	}
	old := h.as(holder)
	renewed := must[*routingv1.RenewTokenResponse](t)(people.RenewToken(h.as(""), &routingv1.RenewTokenRequest{Member: holder}))
	h.tokens[holder] = renewed.GetToken()
	same(t, "with the token before, the page", page(), http.StatusSeeOther)
	if _, err := people.Accept(old, &routingv1.AcceptRequest{LeadId: id}); !fault.Is(access.FaultOf(err), fault.Unauthenticated) {
		t.Errorf("with the token before: %v", err)
	}
	// The offer that was open is still theirs.
	must[*routingv1.AcceptResponse](t)(people.Accept(h.as(holder), &routingv1.AcceptRequest{LeadId: id}))
	same(t, "open leads", renewed.GetMember().GetLoad(), int64(1))
	h.settle()
	same(t, "with", h.owner(id), "With "+holder+"; the lead is accepted.")
}

// Whoever is full in one of their pools can still get leads in another.
func TestCapacityIsThatOfTheWidestPool(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	capacity := func(handle string) int64 {
		t.Helper()
		for _, m := range must[*routingv1.ListMembersResponse](t)(h.routing().ListMembers(h.as(""), &routingv1.ListMembersRequest{})).GetMembers() {
			if m.GetMember() == handle {
				return m.GetCapacity()
			}
		}
		t.Fatalf("%s is not listed", handle)
		return 0
	}
	// Chloe is in both pools of the starter.
	for _, c := range []struct{ inside, large, both int64 }{{50, 25, 50}, {20, 25, 25}, {50, 0, 0}, {0, 25, 0}} {
		document := strings.NewReplacer("capacity: 50", fmt.Sprint("capacity: ", c.inside), "capacity: 25", fmt.Sprint("capacity: ", c.large)).Replace(string(h.document()))
		h.agree([]byte(document))
		if ana, both, dan := capacity("ana"), capacity("chloe"), capacity("dan"); ana != c.inside || both != c.both || dan != c.large {
			t.Errorf("with %d and %d, one pool alone allows %d and %d, both allow %d; want %d", c.inside, c.large, ana, dan, both, c.both)
		}
	}
}
