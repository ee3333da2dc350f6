package access

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// methods lists every method of every service of ours that is linked in.
func methods() (full []string) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "baton.") {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				full = append(full, "/"+string(s.FullName())+"/"+string(s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(full)
	return full
}

func TestPolicyListsEveryMethod(t *testing.T) {
	all := methods()
	if len(all) < 20 {
		t.Fatalf("found %d methods, so the walk is broken", len(all))
	}
	for _, m := range all {
		if roles, ok := Policy[m]; !ok || len(roles) == 0 {
			t.Errorf("%s has no entry in Policy: say who may call it", m)
		}
	}
	for m, roles := range Policy {
		if !slices.Contains(all, m) {
			t.Errorf("Policy lists %s, which no contract has", m)
		}
		for _, r := range roles {
			if !IsRole(r) {
				t.Errorf("Policy[%s] names %q, which is no role", m, r)
			}
		}
		if open[m] {
			t.Errorf("%s is listed and open", m)
		}
	}
}

// A service whose package nothing links would escape the walk above; the
// contracts themselves do not.
func TestEveryServiceOfTheContractsIsLinked(t *testing.T) {
	root := filepath.Join("..", "..", "..", "proto", "baton")
	pkg := regexp.MustCompile(`(?m)^package ([a-z0-9.]+);`)
	service := regexp.MustCompile(`(?m)^service (\w+)`)
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".proto" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range service.FindAllSubmatch(text, -1) {
			found++
			name := string(pkg.FindSubmatch(text)[1]) + "." + string(s[1])
			if _, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name)); err != nil {
				t.Errorf("%s declares %s, which Policy does not know", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatalf("found no service under %s", root)
	}
}

func called(t *testing.T, d Directory, method, token string) (reached bool, err error) {
	t.Helper()
	ctx := context.Background()
	if token != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(authorization, "Bearer "+token))
	}
	_, err = UnaryServer(d)(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
		reached = true
		return nil, nil
	})
	return reached, err
}

func TestNobodyGetsInWithoutTheRole(t *testing.T) {
	admin, nobody := NewToken(), NewToken()
	d := Directories{NewAdmin(admin), NewStatic(nobody, Actor{Handle: "nil"})}
	tokens := map[string]string{}
	for _, r := range Roles() {
		tokens[r] = NewToken()
		d = append(d, NewStatic(tokens[r], Actor{Handle: "a-" + r, Roles: []string{r}}))
	}
	expect := func(method, token string, want codes.Code) {
		t.Helper()
		reached, err := called(t, d, method, token)
		if status.Code(err) != want || reached != (want == codes.OK) {
			t.Errorf("%s: answered %v (handler reached: %v), want %v", method, err, reached, want)
		}
	}
	for _, m := range methods() {
		expect(m, "", codes.Unauthenticated)
		expect(m, NewToken(), codes.Unauthenticated)
		expect(m, nobody, codes.PermissionDenied)
		expect(m, admin, codes.OK)
		for _, r := range Roles() {
			want := codes.PermissionDenied
			if slices.Contains(Policy[m], r) {
				want = codes.OK
			}
			expect(m, tokens[r], want)
		}
		// Only the canonical name counts.
		expect(strings.TrimPrefix(m, "/"), admin, codes.PermissionDenied)
		expect("/"+m, admin, codes.PermissionDenied)
	}
	expect("/baton.intake.v1.IntakeService/NotThere", admin, codes.PermissionDenied)
	for m := range open {
		expect(m, "", codes.OK)
	}
}

// A refusal says in the user's words what was not allowed, which roles may and which they
// have, and never how the method is called.
func TestRefusalSaysWhoMay(t *testing.T) {
	for _, c := range []struct {
		method string
		roles  []string
		want   string
	}{
		{"/baton.routing.v1.RoutingService/Accept", []string{Marketing}, "accepting a lead takes the role sales or qualifier; you have marketing"},
		{"/baton.routing.v1.RoutingService/Reassign", []string{Sales, Qualifier}, "moving a lead takes the role manager or operator; you have sales, qualifier"},
		{"/baton.delivery.v1.DeliveryService/SetChannel", []string{Manager}, "setting up a channel takes the role operator; you have manager"},
		{"/baton.lead.v1.LeadService/GetLead", nil, "this takes the role marketing, sales, qualifier, manager, arbiter, operator or auditor; you have no role"},
		{"/baton.lead.v1.LeadService/NotThere", []string{Sales}, "this is allowed to nobody: no role stands for it"},
	} {
		if err := Allowed(Actor{Handle: "ana", Roles: c.roles}, c.method); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for method, roles := range Policy {
		err := Allowed(Actor{Handle: "ana"}, method)
		if name := method[strings.LastIndexByte(method, '/')+1:]; err == nil || strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "baton.") {
			t.Errorf("%s is refused as %v", method, err)
		}
		if len(roles) < len(Roles()) && acts[method] == "" {
			t.Errorf("acts does not say what %s does", method)
		}
	}
	for method := range acts {
		if _, is := Policy[method]; !is {
			t.Errorf("acts speaks of %s, which the policy does not know", method)
		}
	}
}

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"none", nil, ""},
		{"plain", []string{"Bearer abc"}, "abc"},
		{"any case", []string{"bearer abc"}, "abc"},
		{"two", []string{"Bearer abc", "Bearer abd"}, ""},
		{"other scheme", []string{"Basic abc"}, ""},
		{"no scheme", []string{"abc"}, ""},
		{"empty", []string{"Bearer "}, ""},
		{"huge", []string{"Bearer " + strings.Repeat("a", maxToken+1)}, ""},
	} {
		md := metadata.MD{}
		md.Set(authorization, c.headers...)
		got, ok := bearer(metadata.NewIncomingContext(context.Background(), md))
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, ok, c.want)
		}
	}
}
