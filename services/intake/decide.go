package intake

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// given are members of a source that the system gives: nobody sets them.
var given = []protoreflect.Name{"source_id", "version", "token_hash", "former_tokens", "former_names", "state_since", "reason"}

// SourceChange is what somebody wants of a source.
type SourceChange struct {
	// Old is the source as it stands; nil = it is new.
	Old *intakev1.SourceDeclared
	// Want holds the members that Fields names; of a new source all count.
	Want   *intakev1.SourceDeclared
	Fields []string
	// Version that the author has seen; 0 = whichever it is.
	Version int64
	Reason  string
	// Owner answers the source that has or had a name; empty = none.
	Owner func(name string) (sourceID string)
	// Preset answers the preset of a name; nil = there is none.
	Preset func(name string) *intakev1.Preset
	// Now is the instant of the change.
	Now time.Time
}

// DecideSource answers a source as a change leaves it. What the preset knows is
// copied into it, so that which algorithm and which version verify a delivery
// stands in the log and no later program changes it. A fault says what to do.
func DecideSource(c SourceChange) (*intakev1.SourceDeclared, error) {
	if c.Want == nil {
		c.Want = &intakev1.SourceDeclared{}
	}
	if c.Old == nil {
		return newSource(c)
	}
	if c.Version != 0 && c.Version != c.Old.GetVersion() {
		return nil, fault.New(fault.Conflict, "the source %s is at version %d, not at %d: look at what was changed, then try again", c.Old.GetName(), c.Old.GetVersion(), c.Version)
	}
	if len(c.Fields) == 0 {
		return nil, fault.New(fault.Invalid, "fields: name the members of the source that are to change")
	}
	out := proto.Clone(c.Old).(*intakev1.SourceDeclared)
	members := out.ProtoReflect().Descriptor().Fields()
	for _, name := range c.Fields {
		member := members.ByName(protoreflect.Name(name))
		if member == nil || slices.Contains(given, member.Name()) {
			return nil, fault.New(fault.Invalid, "fields: %q is no member of a source that can be changed", name)
		}
		if c.Want.ProtoReflect().Has(member) {
			out.ProtoReflect().Set(member, proto.Clone(c.Want).ProtoReflect().Get(member))
		} else {
			out.ProtoReflect().Clear(member)
		}
	}
	if err := rename(c, out); err != nil {
		return nil, err
	}
	if out.GetState() != c.Old.GetState() {
		out.StateSince = nil
		if out.GetState() != intakev1.SourceState_SOURCE_STATE_UNSPECIFIED {
			out.StateSince = timestamppb.New(c.Now)
		}
	}
	named := func(field string) bool { return slices.Contains(c.Fields, field) }
	if (named("preset") && out.GetPreset() != c.Old.GetPreset()) || named("verification") {
		if err := fillIn(c.Preset(out.GetPreset()), out, named); err != nil {
			return nil, err
		}
	}
	out.Reason = c.Old.GetReason()
	if proto.Equal(out, c.Old) {
		return c.Old, nil
	}
	out.Version, out.Reason = c.Old.GetVersion()+1, c.Reason
	return out, nil
}

func newSource(c SourceChange) (*intakev1.SourceDeclared, error) {
	out := proto.Clone(c.Want).(*intakev1.SourceDeclared)
	for _, name := range given {
		out.ProtoReflect().Clear(out.ProtoReflect().Descriptor().Fields().ByName(name))
	}
	if c.Owner(out.GetName()) != "" {
		return nil, taken(out.GetName())
	}
	if out.GetState() != intakev1.SourceState_SOURCE_STATE_UNSPECIFIED {
		out.StateSince = timestamppb.New(c.Now)
	}
	want := c.Want.ProtoReflect()
	said := func(field string) bool { return want.Has(want.Descriptor().Fields().ByName(protoreflect.Name(field))) }
	if err := fillIn(c.Preset(out.GetPreset()), out, said); err != nil {
		return nil, err
	}
	out.Version, out.Reason = 1, c.Reason
	return out, nil
}

func taken(name string) error {
	return fault.New(fault.Conflict, "the name %q belongs to a source, or did: its address goes on working, so choose another", name)
}

// rename keeps the former name with the source.
func rename(c SourceChange, out *intakev1.SourceDeclared) error {
	if out.GetName() == c.Old.GetName() {
		return nil
	}
	if owner := c.Owner(out.GetName()); owner != "" && owner != out.GetSourceId() {
		return taken(out.GetName())
	}
	out.FormerNames = slices.DeleteFunc(out.GetFormerNames(), func(name string) bool { return name == out.GetName() })
	out.FormerNames = append(out.FormerNames, c.Old.GetName())
	return nil
}

// fillIn takes from the preset what the author left open: how deliveries are
// verified with the secret that they name, the handshake, the methods.
func fillIn(preset *intakev1.Preset, out *intakev1.SourceDeclared, said func(field string) bool) error {
	if out.GetPreset() != "" && preset == nil {
		return fault.New(fault.NotFound, "there is no preset %q: baton source presets lists them; without one the tool maps itself", out.GetPreset())
	}
	v := out.GetVerification()
	switch {
	case v != nil && v.GetAlgorithm() == "" && preset.GetVerification() == nil:
		if preset == nil {
			return fault.New(fault.Invalid, "verification: say the algorithm and where the signature is, or name a preset that knows")
		}
		return fault.New(fault.Invalid, "verification: %s cannot sign, so a secret has nothing to check: leave it out and give the address a token", preset.GetTitle())
	case v != nil && preset.GetVerification() != nil && (v.GetAlgorithm() == "" || !said("verification")):
		out.Verification = proto.Clone(preset.GetVerification()).(*intakev1.Verification)
		out.Verification.SecretRef, out.Verification.More, out.Verification.PublicUrl = v.GetSecretRef(), v.GetMore(), v.GetPublicUrl()
	}
	if preset == nil {
		return nil
	}
	if !said("handshake") {
		out.Handshake = preset.GetHandshake()
	}
	if !said("methods") {
		out.Methods = slices.Clone(preset.GetMethods())
	}
	return nil
}

// formerTokens is how long a replaced token is still taken unless somebody says
// otherwise.
const formerTokens = 7 * 24 * time.Hour

// DecideRotation answers a source with a new token. The one before is taken until
// its end, and none from earlier for longer: whoever ends a token ends the older
// ones with it. Where the end has passed they count no more.
func DecideRotation(old *intakev1.SourceDeclared, tokenHash []byte, ends, now time.Time) *intakev1.SourceDeclared {
	out := proto.Clone(old).(*intakev1.SourceDeclared)
	before := old.GetTokenHash()
	if len(before) == 0 {
		// The address had none: it goes on working without one for as long.
		before = TokenHash("")
	}
	for _, former := range out.GetFormerTokens() {
		if former.GetEndsAt().AsTime().After(ends) {
			former.EndsAt = timestamppb.New(ends)
		}
	}
	out.FormerTokens = append(out.GetFormerTokens(), &intakev1.FormerToken{TokenHash: before, EndsAt: timestamppb.New(ends)})
	out.FormerTokens = slices.DeleteFunc(out.FormerTokens, func(t *intakev1.FormerToken) bool { return !t.GetEndsAt().AsTime().After(now) })
	out.TokenHash = tokenHash
	out.Version, out.Reason = old.GetVersion()+1, "a new token"
	return out
}

// Working says whether what comes from a source is worked, and not held.
func Working(src *intakev1.SourceDeclared) bool {
	return src.GetState() == intakev1.SourceState_SOURCE_STATE_UNSPECIFIED
}

// detailsLimit is for how long the details of a thin delivery are asked for.
const detailsLimit = 36 * time.Hour

// nextRead is when the details are asked for again after so many tries in vain:
// after a minute, two, four, … and at most six hours.
func nextRead(attempts int64, now time.Time) time.Time {
	wait := 6 * time.Hour
	if attempts < 9 {
		wait = min(wait, time.Minute<<(attempts-1))
	}
	return now.Add(wait)
}

// shortened keeps the first so many bytes of a text of ours.
func shortened(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}
