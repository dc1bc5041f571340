package examples

import (
	"context"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestTheComposeFileIsWhatTheSpecificationAllows loads it with the specification's own library,
// which holds it against the JSON Schema, and then resolves what depends on what.
func TestTheComposeFileIsWhatTheSpecificationAllows(t *testing.T) {
	project := loadCompose(t, "../../docker-compose.yml", "*")
	for _, name := range []string{"storage", "bucket", "database", "daemon", "packstone", "prometheus", "minio"} {
		if _, err := project.GetService(name); err != nil {
			t.Errorf("service %s: %v", name, err)
		}
	}
	if got := loadCompose(t, "../../docker-compose.yml").ServiceNames(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"bucket", "daemon", "database", "storage"}) {
		t.Errorf("without a profile %v start", got)
	}
}

func TestAComposeFileWithAnUnknownKeyIsRefused(t *testing.T) {
	details := types.ConfigDetails{ConfigFiles: []types.ConfigFile{{Filename: "x.yaml", Content: []byte("services: {a: {image: b, comand: [run]}}")}}}
	if _, err := loader.LoadWithContext(context.Background(), details, named); err == nil {
		t.Error("a file with comand: was taken")
	}
}

func loadCompose(t *testing.T, file string, profiles ...string) *types.Project {
	t.Helper()
	details := types.ConfigDetails{WorkingDir: "../..", ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: types.Mapping{}}
	project, err := loader.LoadWithContext(context.Background(), details, named, loader.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func named(o *loader.Options) { o.SetProjectName("packstone", true) }

func TestKustomizeBuildsTheBaseAndAPlatform(t *testing.T) {
	base := kustomize(t, "../../docs/examples/kubernetes")
	if got := kinds(base); !slices.Equal(got, []string{"Deployment", "PersistentVolumeClaim", "Service"}) {
		t.Errorf("the base has %v", got)
	}
	platform := kustomize(t, "../../docs/examples/kubernetes-platform")
	if got := kinds(platform); !slices.Equal(got, []string{"ConfigMap", "Deployment", "PersistentVolumeClaim", "Service"}) {
		t.Errorf("the example has %v", got)
	}
	for _, r := range platform {
		if r.GetNamespace() != "backup" {
			t.Errorf("%s lies in the namespace %q", r.GetName(), r.GetNamespace())
		}
	}
}

func kustomize(t *testing.T, dir string) []*resource.Resource {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s:\n%s", dir, text)
	return built.Resources()
}

func kinds(resources []*resource.Resource) (kinds []string) {
	for _, r := range resources {
		kinds = append(kinds, r.GetKind())
	}
	slices.Sort(kinds)
	return kinds
}
