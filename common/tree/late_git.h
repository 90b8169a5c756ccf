/*
 * late_git – libgit2 loaded when the first repository is opened, and not before main(): with the
 * libraries that it needs in turn, most of them for a network that we never use it for, that is
 * most of what a short `penstock` costs. Where nothing has changed, `penstock check` opens none.
 *
 * Whoever includes this calls libgit2 by its own names, after late_git_load().
 */
#ifndef PS_LATE_GIT_H
#define PS_LATE_GIT_H

#include <git2.h>
#include <git2/transaction.h>

#include "common/base/err.h"

/* Every function of it that we call. */
#define LATE_GIT(X) \
	X(buf_dispose) X(config_delete_entry) X(config_delete_multivar) X(config_free) \
	X(config_get_bool) X(config_get_multivar_foreach) X(config_get_string_buf) \
	X(config_lock) X(config_open_ondisk) X(config_set_string) X(config_snapshot) \
	X(error_last) X(graph_descendant_of) X(libgit2_init) X(libgit2_opts) \
	X(object_free) X(object_id) X(object_lookup) X(object_peel) X(object_type) \
	X(odb_add_disk_alternate) X(odb_free) X(odb_object_data) X(odb_object_free) \
	X(odb_object_size) X(odb_read) X(odb_read_header) X(oid_cmp) X(oid_fromstr) \
	X(oid_tostr) X(reference_create) X(reference_free) X(reference_is_branch) \
	X(reference_iterator_free) X(reference_iterator_new) X(reference_lookup) \
	X(reference_name) X(reference_next) X(reference_remove) X(reference_shorthand) \
	X(reference_symbolic_target) X(reference_target) X(reference_type) \
	X(refspec_free) X(refspec_parse) X(refspec_src_matches) X(refspec_transform) \
	X(repository_config_snapshot) X(repository_discover) X(repository_free) \
	X(repository_head) X(repository_odb) X(repository_open_ext) X(repository_workdir) \
	X(revparse_single) X(revwalk_free) X(revwalk_new) X(revwalk_next) X(revwalk_push) \
	X(revwalk_sorting) X(transaction_commit) X(transaction_free) \
	X(tree_entry_byindex) X(tree_entry_byname) X(tree_entry_bypath) \
	X(tree_entry_filemode) X(tree_entry_free) X(tree_entry_id) X(tree_entry_name) \
	X(tree_entry_type) X(tree_entrycount) X(tree_free) X(tree_id) X(tree_lookup)

struct late_git {
#define LATE_GIT_FIELD(name) __typeof__(git_##name) *name;
	LATE_GIT(LATE_GIT_FIELD)
#undef LATE_GIT_FIELD
};

extern struct late_git late_git;

/* Once is enough; PS_EIO when it is not there, and says what to install. */
int late_git_load(struct ps_err *err) PS_MUSTCHECK;

#define git_buf_dispose late_git.buf_dispose
#define git_config_delete_entry late_git.config_delete_entry
#define git_config_delete_multivar late_git.config_delete_multivar
#define git_config_free late_git.config_free
#define git_config_get_bool late_git.config_get_bool
#define git_config_get_multivar_foreach late_git.config_get_multivar_foreach
#define git_config_get_string_buf late_git.config_get_string_buf
#define git_config_lock late_git.config_lock
#define git_config_open_ondisk late_git.config_open_ondisk
#define git_config_set_string late_git.config_set_string
#define git_config_snapshot late_git.config_snapshot
#define git_error_last late_git.error_last
#define git_graph_descendant_of late_git.graph_descendant_of
#define git_libgit2_init late_git.libgit2_init
#define git_libgit2_opts late_git.libgit2_opts
#define git_object_free late_git.object_free
#define git_object_id late_git.object_id
#define git_object_lookup late_git.object_lookup
#define git_object_peel late_git.object_peel
#define git_object_type late_git.object_type
#define git_odb_add_disk_alternate late_git.odb_add_disk_alternate
#define git_odb_free late_git.odb_free
#define git_odb_object_data late_git.odb_object_data
#define git_odb_object_free late_git.odb_object_free
#define git_odb_object_size late_git.odb_object_size
#define git_odb_read late_git.odb_read
#define git_odb_read_header late_git.odb_read_header
#define git_oid_cmp late_git.oid_cmp
#define git_oid_fromstr late_git.oid_fromstr
#define git_oid_tostr late_git.oid_tostr
#define git_reference_create late_git.reference_create
#define git_reference_free late_git.reference_free
#define git_reference_is_branch late_git.reference_is_branch
#define git_reference_iterator_free late_git.reference_iterator_free
#define git_reference_iterator_new late_git.reference_iterator_new
#define git_reference_lookup late_git.reference_lookup
#define git_reference_name late_git.reference_name
#define git_reference_next late_git.reference_next
#define git_reference_remove late_git.reference_remove
#define git_reference_shorthand late_git.reference_shorthand
#define git_reference_symbolic_target late_git.reference_symbolic_target
#define git_reference_target late_git.reference_target
#define git_reference_type late_git.reference_type
#define git_refspec_free late_git.refspec_free
#define git_refspec_parse late_git.refspec_parse
#define git_refspec_src_matches late_git.refspec_src_matches
#define git_refspec_transform late_git.refspec_transform
#define git_repository_config_snapshot late_git.repository_config_snapshot
#define git_repository_discover late_git.repository_discover
#define git_repository_free late_git.repository_free
#define git_repository_head late_git.repository_head
#define git_repository_odb late_git.repository_odb
#define git_repository_open_ext late_git.repository_open_ext
#define git_repository_workdir late_git.repository_workdir
#define git_revparse_single late_git.revparse_single
#define git_revwalk_free late_git.revwalk_free
#define git_revwalk_new late_git.revwalk_new
#define git_revwalk_next late_git.revwalk_next
#define git_revwalk_push late_git.revwalk_push
#define git_revwalk_sorting late_git.revwalk_sorting
#define git_transaction_commit late_git.transaction_commit
#define git_transaction_free late_git.transaction_free
#define git_tree_entry_byindex late_git.tree_entry_byindex
#define git_tree_entry_byname late_git.tree_entry_byname
#define git_tree_entry_bypath late_git.tree_entry_bypath
#define git_tree_entry_filemode late_git.tree_entry_filemode
#define git_tree_entry_free late_git.tree_entry_free
#define git_tree_entry_id late_git.tree_entry_id
#define git_tree_entry_name late_git.tree_entry_name
#define git_tree_entry_type late_git.tree_entry_type
#define git_tree_entrycount late_git.tree_entrycount
#define git_tree_free late_git.tree_free
#define git_tree_id late_git.tree_id
#define git_tree_lookup late_git.tree_lookup

#endif
