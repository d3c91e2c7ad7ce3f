BEGIN TRANSACTION;
CREATE TABLE access_keys (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	principal_id TEXT NOT NULL, 
	secret BLOB NOT NULL, 
	status TEXT NOT NULL, 
	created_at INTEGER NOT NULL, last_used_at INTEGER, last_used_service TEXT, last_used_region TEXT, 
	CONSTRAINT pk_access_keys PRIMARY KEY (id), 
	CONSTRAINT fk_access_keys_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
INSERT INTO "access_keys" VALUES('AKIAMOORAGETESTROOT0','000000000000','000000000000',X'01CA8C4FFAB52B5D5C03E2E4D9EDF49B0B2A4BC5313FCA96A5310345FFECAC5CEF17AF0159224FAD16ABCFA4DC765DF430E007A784C4D50236680A7106776D6D1E390150DFDD2223DF9DC9B0AB','Active',1795956744330784,NULL,NULL,NULL);
INSERT INTO "access_keys" VALUES('AKIAYNSBFXAWJZBI7MP2','000000000000','AIDAO7J4KOVUAPSP42QTG',X'01CA8C4FFAB52B5D5C603A3A0476AB66A5CE853C31469151B43B46F4263F340846471A2775E1F00FC44A12A9A1BECD2A503B2BAFBC8DFEA9FEAC20966A2648B44AA9D261FBEECFCB6A8677F4A4','Active',1795956745584134,NULL,NULL,NULL);
CREATE TABLE access_reports (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	arn TEXT NOT NULL, 
	granularity TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_access_reports PRIMARY KEY (id), 
	CONSTRAINT fk_access_reports_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE account_documents (
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	document TEXT NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_account_documents PRIMARY KEY (account_id, kind), 
	CONSTRAINT fk_account_documents_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
INSERT INTO "account_documents" VALUES('000000000000','passwords:AIDAO7J4KOVUAPSP42QTG','["$argon2id$v=19$m=19456,t=2,p=1$0uVvcpfstJKmXa5F+d9g5g$xFOU/0OutddfUP+9pUGOA/BxGVpuRunkPPcAxvqDX5E"]',1795956745835149);
CREATE TABLE account_requests (
	id TEXT NOT NULL, 
	account_name TEXT NOT NULL, 
	email TEXT NOT NULL, 
	state TEXT NOT NULL, 
	failure TEXT, 
	account_id TEXT, 
	requested_at INTEGER NOT NULL, 
	completed_at INTEGER, 
	CONSTRAINT pk_account_requests PRIMARY KEY (id)
)
 STRICT

;
CREATE TABLE accounts (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created_at INTEGER NOT NULL, identity_epoch INTEGER DEFAULT 0 NOT NULL, alias TEXT, email TEXT, 
	CONSTRAINT pk_accounts PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "accounts" VALUES('000000000000','default',1795956744330784,9,NULL,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE attachments (
	identity_id TEXT NOT NULL, 
	policy_arn TEXT NOT NULL, 
	attached_at INTEGER NOT NULL, 
	CONSTRAINT pk_attachments PRIMARY KEY (identity_id, policy_arn), 
	CONSTRAINT fk_attachments_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "attachments" VALUES('AIDAO7J4KOVUAPSP42QTG','arn:aws:iam::000000000000:policy/all',1795956745726696);
INSERT INTO "attachments" VALUES('AROA4WHMWMRUUUQMTRZUF','arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy',1795956745864612);
CREATE TABLE blob_pieces (
	blob_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	storage_key TEXT NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_blob_pieces PRIMARY KEY (blob_id, position), 
	CONSTRAINT fk_blob_pieces_blob_id FOREIGN KEY(blob_id) REFERENCES blobs (id), 
	CONSTRAINT uq_blob_pieces_storage_key UNIQUE (storage_key)
)
 STRICT

;
INSERT INTO "blob_pieces" VALUES(1,0,17196,'nycwu7eoxwdrudgpq5r2ghpfnlv4pjlb',X'01CB7C7CBBBEC16833A78B2B7D5CE31279AB8B5687E0A146007DC9BD62774345026C1B731D9E52023AFD8C681ACC20DFC374CF342161A3A4F7D6498A7C7B5B0FED2C64074D');
INSERT INTO "blob_pieces" VALUES(2,0,228,'0d5mpnt6ekimlwkv2m3o2hnoqfmjnjeqq',X'01CB7C7CBBBEC16833C1C3B3A8AB6BE79DEFFBEA8F59033812EC42828D66B474ABE899362726B30264D9DDE683885D6ADC49D99560A1D28C6B9AFA5C523D640B8C5815AD07');
INSERT INTO "blob_pieces" VALUES(3,0,272,'0fuwjh64hzseaxm4vft7kcgvjit3eao7r',X'01CB7C7CBBBEC1683307C6A7ADDFB5F42B60005EA5EC995A9BC0C8DA41B4E1818B40A6C865971FB4E61B5B9087DBD799C7847E812678C7B2F8738D2DBEA97C360B79F0D674');
INSERT INTO "blob_pieces" VALUES(4,0,228,'0r3kgld6iakooe43r7v5f5bjxolyqq56a',X'01CB7C7CBBBEC16833A6B5FD5A7C4F5828A0F34F9960C41656DF539B65116D454B1CE4EDAB2480774A80CE75FD71E0FDB0EB7F6B79546CCAF907CBBAFD7536E6EAD7DF9081');
CREATE TABLE blobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	seal_id INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_blobs_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT fk_blobs_seal_id FOREIGN KEY(seal_id) REFERENCES seals (id), 
	CONSTRAINT uq_blobs_registry_digest_seal_id UNIQUE (registry, digest, seal_id)
)
 STRICT

;
INSERT INTO "blobs" VALUES(1,1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e',1,17196,1795956745219389);
INSERT INTO "blobs" VALUES(2,1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4',1,228,1795956745236602);
INSERT INTO "blobs" VALUES(3,1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9',1,272,1795956745268285);
INSERT INTO "blobs" VALUES(4,1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9',1,228,1795956745280773);
CREATE TABLE group_members (
	group_id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	joined_at INTEGER NOT NULL, 
	CONSTRAINT pk_group_members PRIMARY KEY (group_id, user_id), 
	CONSTRAINT fk_group_members_group_id FOREIGN KEY(group_id) REFERENCES identities (id), 
	CONSTRAINT fk_group_members_user_id FOREIGN KEY(user_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "group_members" VALUES('AGPAQENOLFOBSX7YZ4LYY','AIDAO7J4KOVUAPSP42QTG',1795956745624624);
CREATE TABLE identities (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	description TEXT, 
	boundary_arn TEXT, 
	trust_policy TEXT, 
	trust_bindings TEXT, 
	max_session_seconds INTEGER, 
	linked_service TEXT, 
	last_used_at INTEGER, 
	last_used_region TEXT, 
	CONSTRAINT pk_identities PRIMARY KEY (id), 
	CONSTRAINT fk_identities_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT uq_identities_account_id_kind_folded_name UNIQUE (account_id, kind, folded_name)
)
 STRICT

;
INSERT INTO "identities" VALUES('AIDAO7J4KOVUAPSP42QTG','000000000000','user','alice','alice','/',1795956745559252,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AGPAQENOLFOBSX7YZ4LYY','000000000000','group','people','people','/',1795956745607690,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AROA4WHMWMRUUUQMTRZUF','000000000000','role','AWSServiceRoleForECRTemplate','awsserviceroleforecrtemplate','/aws-service-role/ecr.amazonaws.com/',1795956745864612,'Lets the registry create repositories by templates.',NULL,'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}]}','{}',3600,'ecr.amazonaws.com',NULL,NULL);
CREATE TABLE identity_providers (
	arn TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	url TEXT NOT NULL, 
	client_ids TEXT NOT NULL, 
	thumbprints TEXT NOT NULL, 
	document TEXT, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_identity_providers PRIMARY KEY (arn), 
	CONSTRAINT fk_identity_providers_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE identity_tags (
	resource TEXT NOT NULL, 
	folded_key TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_identity_tags PRIMARY KEY (resource, folded_key)
)
 STRICT

;
INSERT INTO "identity_tags" VALUES('AIDAO7J4KOVUAPSP42QTG','k','k','v');
CREATE TABLE inline_policies (
	identity_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	document TEXT NOT NULL, 
	CONSTRAINT pk_inline_policies PRIMARY KEY (identity_id, name), 
	CONSTRAINT fk_inline_policies_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "inline_policies" VALUES('AGPAQENOLFOBSX7YZ4LYY','inline','{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}');
CREATE TABLE installation (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_installation PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "installation" VALUES('root-key','ca8c4ffab52b5d5c');
CREATE TABLE instance_profiles (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	role_id TEXT, 
	CONSTRAINT pk_instance_profiles PRIMARY KEY (id), 
	CONSTRAINT fk_instance_profiles_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_instance_profiles_role_id FOREIGN KEY(role_id) REFERENCES identities (id), 
	CONSTRAINT uq_instance_profiles_account_id_folded_name UNIQUE (account_id, folded_name)
)
 STRICT

;
CREATE TABLE login_profiles (
	user_id TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	must_reset INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	locked_until INTEGER NOT NULL, 
	CONSTRAINT pk_login_profiles PRIMARY KEY (user_id), 
	CONSTRAINT fk_login_profiles_user_id FOREIGN KEY(user_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "login_profiles" VALUES('AIDAO7J4KOVUAPSP42QTG','$argon2id$v=19$m=19456,t=2,p=1$0uVvcpfstJKmXa5F+d9g5g$xFOU/0OutddfUP+9pUGOA/BxGVpuRunkPPcAxvqDX5E',0,1795956745835149,0,0);
CREATE TABLE managed_policies (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	arn TEXT NOT NULL, 
	description TEXT, 
	default_version INTEGER NOT NULL, 
	newest_version INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_managed_policies PRIMARY KEY (id), 
	CONSTRAINT fk_managed_policies_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT uq_managed_policies_account_id_folded_name UNIQUE (account_id, folded_name), 
	CONSTRAINT uq_managed_policies_arn UNIQUE (arn)
)
 STRICT

;
INSERT INTO "managed_policies" VALUES('ANPAK75QQZ3GM4QYICN7S','000000000000','all','all','/','arn:aws:iam::000000000000:policy/all',NULL,1,1,1795956745705182,1795956745705182);
CREATE TABLE manifest_blobs (
	manifest_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	role TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	CONSTRAINT pk_manifest_blobs PRIMARY KEY (manifest_id, position), 
	CONSTRAINT fk_manifest_blobs_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
INSERT INTO "manifest_blobs" VALUES(1,0,1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4','config','application/vnd.oci.image.config.v1+json',228);
INSERT INTO "manifest_blobs" VALUES(1,1,1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e','layer','application/vnd.oci.image.layer.v1.tar+gzip',17196);
INSERT INTO "manifest_blobs" VALUES(2,0,1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9','config','application/vnd.oci.image.config.v1+json',228);
INSERT INTO "manifest_blobs" VALUES(2,1,1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9','layer','application/vnd.oci.image.layer.v1.tar+gzip',272);
CREATE TABLE manifest_children (
	parent_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_manifest_children PRIMARY KEY (parent_id, position), 
	CONSTRAINT fk_manifest_children_parent_id FOREIGN KEY(parent_id) REFERENCES manifests (id)
)
 STRICT

;
CREATE TABLE manifest_payloads (
	manifest_id INTEGER NOT NULL, 
	sealed BLOB NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_manifest_payloads PRIMARY KEY (manifest_id), 
	CONSTRAINT fk_manifest_payloads_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
INSERT INTO "manifest_payloads" VALUES(1,X'FEA725308FE036E21A4DA7DC73C35A9F29672F15A72AC6F663AC3C508753826D8239D96C8774958F28BE1A57968B93CA0866C35C29E08499A7DFDA566E48E22F6C4F932A08EEA8877C24A1A6952B67D2E18DA0C7362ABD691EC802BD597146BA4B12D869D12021D82B1272940AD83684BBD13E8B334B13FFC4246A9011216BFC9858ED583C08A47C8F97F5F8B97A5B701D45D12E533A28A8702695877C4E4D33ABF164FF9662094D126D8EA3AAF093C7F06FA235D1B087DBA26A8F5EA94EB61248372E1F0F22F1F618424D2309FF6E47C2C43462E0265CF059C5F9C123960390589726B117E0F698C4630E572C904EBDE63B2115CEB2C100F4A1E136A7D969F982B4E4FAB4B5B20755FE0A1A7DC16DB9C55D87D05A67851245FA22FF466BA7AEAAFF411D520176DA78D92416B7C8C8782F00997678516E239517E9A263E764467337470E0F96D432D3BBCECF8D1515586D86F2C94C8EED052CAD77FDEA18CD2B0EDF64F9A7F8F4A3F713CEC14077E865CA15641DD009C3BC2B31388F3AF037839320929722CDF8A419948CA7D820A3DDC38DFBB760F368C159FDE606B7B9FC8108494EA9A4B7E3D8A202F453D2F9C86CF84C4142A7422B064DB64CF5348E0555',X'01CB7C7CBBBEC16833368B03B63F2BBC64F40B77FDE665CF2AA8992470F718E7A88BAB4F7E6EB3FEC11437CE0CAA35DE27682597DAB37BC81BC385F9E7EE7B4B6E7FAED34D');
INSERT INTO "manifest_payloads" VALUES(2,X'184744AD644E215DBFAB2D17E25FDB9885A8D6E3B0B26AD0403234ACD4238C5DD2ACF3496AFCB1F9A6509213D61D18932C34CFEC22F07B92A8101E477340EED71AA353CB6A3B7186C670FEED23327AF44A751ADD7EF3BFF85327F3F8AC5F8AE3E1550F9DAF9DF2A3D3FEEE29578E3037309EB019A70C6C0A286CB80AD9EC28481C2D5091503D4BFDCF6395BC841D6A5CE8BA39F01EF65FFCDD66A34A91F6D8D2C214033836E0155BE49F1713507406A940A86DC70963D0B9AC24D65A8278D48CD85B30DDCD869549586CF29E71295E298B3E4E3EFDBF490B8BA89AEF820592BCCED4F46A1E706EEF3686D27B44B595A351382B9E6A57D305D832EA020CEA20D7F0F33437D7444133FE84F54D1E3F97063ED5A1869B300AC3D6BAC95AF70BB7DD10CF99E7EF5793690923FC750B686EF0602561EAED57254FABA99C9FDED2A56E778F4F468E32C7742C2788664AD2A12656C9BBB275A669A060F1453C7E4D7E0909E61DF51577DC9E2AF9BD09D6F66D383BA088710FB345D7A2C9CC711E72C997F2AB1FE37785C49A33E6E4BC63FE0E46F6D2E051E887BA642509A2C003EDF473C7EDBCCC5FC916EECD883EE2182501C2318D55FAD1047FABDB732B7B41F7',X'01CB7C7CBBBEC16833C50588F3BAC325D2551ED1EA0D90231A62E2D6D256E06CCBB0CC4C179E473E1F6F453B1AF790E8EB0426A87B363957703D6743217F13D07CEEEC22F8');
CREATE TABLE manifest_pulls (
	manifest_id INTEGER NOT NULL, 
	last_pulled_at INTEGER NOT NULL, 
	pulls INTEGER NOT NULL, 
	CONSTRAINT pk_manifest_pulls PRIMARY KEY (manifest_id), 
	CONSTRAINT fk_manifest_pulls_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
CREATE TABLE manifests (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	artifact_type TEXT, 
	config_media_type TEXT, 
	subject_digest TEXT, 
	annotations TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	image_size_bytes INTEGER NOT NULL, 
	pushed_at INTEGER NOT NULL, 
	pushed_by TEXT NOT NULL, 
	CONSTRAINT fk_manifests_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id), 
	CONSTRAINT uq_manifests_repository_id_digest UNIQUE (repository_id, digest)
)
 STRICT

;
INSERT INTO "manifests" VALUES(1,1,'sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',420,17424,1795956745242618,'arn:aws:iam::000000000000:root');
INSERT INTO "manifests" VALUES(2,1,'sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',418,500,1795956745286044,'arn:aws:iam::000000000000:root');
CREATE TABLE mfa_devices (
	serial TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	user_id TEXT, 
	seed BLOB NOT NULL, 
	created_at INTEGER NOT NULL, 
	enabled_at INTEGER, 
	last_step INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	locked_until INTEGER NOT NULL, 
	CONSTRAINT pk_mfa_devices PRIMARY KEY (serial), 
	CONSTRAINT fk_mfa_devices_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE organizations (
	id TEXT NOT NULL, 
	management_account TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_organizations PRIMARY KEY (id), 
	CONSTRAINT fk_organizations_management_account FOREIGN KEY(management_account) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE policy_versions (
	policy_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_policy_versions PRIMARY KEY (policy_id, version), 
	CONSTRAINT fk_policy_versions_policy_id FOREIGN KEY(policy_id) REFERENCES managed_policies (id)
)
 STRICT

;
INSERT INTO "policy_versions" VALUES('ANPAK75QQZ3GM4QYICN7S',1,'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}',1795956745705182);
CREATE TABLE principal_activity (
	principal_id TEXT NOT NULL, 
	action TEXT NOT NULL, 
	resource TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	first_at INTEGER NOT NULL, 
	last_at INTEGER NOT NULL, 
	uses INTEGER NOT NULL, 
	CONSTRAINT pk_principal_activity PRIMARY KEY (principal_id, action, resource)
)
 STRICT

;
CREATE TABLE registries (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	partition TEXT NOT NULL, 
	region TEXT NOT NULL, 
	registry_id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_registries_registry_id FOREIGN KEY(registry_id) REFERENCES accounts (id), 
	CONSTRAINT uq_registries_address UNIQUE (address), 
	CONSTRAINT uq_registries_partition_region_registry_id UNIQUE (partition, region, registry_id)
)
 STRICT

;
INSERT INTO "registries" VALUES(1,'aws','us-east-1','000000000000','127.83.156.220',1795956745148364);
CREATE TABLE registry_documents (
	registry INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	document TEXT NOT NULL, 
	bindings TEXT NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_registry_documents PRIMARY KEY (registry, kind), 
	CONSTRAINT fk_registry_documents_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE registry_settings (
	registry INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_registry_settings PRIMARY KEY (registry, name), 
	CONSTRAINT fk_registry_settings_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE repositories (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	tag_mutability TEXT NOT NULL, 
	mutability_filters TEXT NOT NULL, 
	scan_on_push INTEGER NOT NULL, 
	encryption_type TEXT NOT NULL, 
	kms_key TEXT, 
	seal_id INTEGER NOT NULL, policy TEXT, policy_bindings TEXT, 
	CONSTRAINT fk_repositories_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT fk_repositories_seal_id FOREIGN KEY(seal_id) REFERENCES seals (id)
)
 STRICT

;
INSERT INTO "repositories" VALUES(1,1,'app','live',1795956745148364,'MUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
INSERT INTO "repositories" VALUES(2,1,'other','live',1795956745185952,'IMMUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
CREATE TABLE repository_blobs (
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	blob_id INTEGER NOT NULL, 
	check_after INTEGER, 
	CONSTRAINT pk_repository_blobs PRIMARY KEY (repository_id, digest), 
	CONSTRAINT fk_repository_blobs_blob_id FOREIGN KEY(blob_id) REFERENCES blobs (id), 
	CONSTRAINT fk_repository_blobs_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "repository_blobs" VALUES(1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e',1,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4',2,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9',3,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9',4,NULL);
CREATE TABLE repository_counts (
	repository_id INTEGER NOT NULL, 
	images INTEGER NOT NULL, 
	CONSTRAINT pk_repository_counts PRIMARY KEY (repository_id), 
	CONSTRAINT fk_repository_counts_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "repository_counts" VALUES(1,2);
CREATE TABLE resource_tags (
	repository_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_resource_tags PRIMARY KEY (repository_id, "key"), 
	CONSTRAINT fk_resource_tags_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "resource_tags" VALUES(1,'team','a');
CREATE TABLE seals (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	key_reference TEXT NOT NULL, 
	wrapped_key BLOB, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_seals_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT uq_seals_registry_kind_key_reference UNIQUE (registry, kind, key_reference)
)
 STRICT

;
INSERT INTO "seals" VALUES(1,1,'AES256','',X'01CA8C4FFAB52B5D5CC0D1BDEDC379DFBC01819DECAC856D580F2B5B2EEA345BACE1B0CAD89B54FE835A10B714B2BE7EE5E5295B309E78A103FAE8C2AD05BAD502A3AFBFB6',1795956745148364);
CREATE TABLE small_objects (
	"key" TEXT NOT NULL, 
	sealed BLOB NOT NULL, 
	CONSTRAINT pk_small_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "small_objects" VALUES('0d5mpnt6ekimlwkv2m3o2hnoqfmjnjeqq',X'4436B53972A273A9CE21638C528B19E421728781E9B7185FEF511B829C69D0E17FFB680A7C584BA156752C4FEDCEDD994456E22A96B848E997723AF9210EC331F663555A11FF71CEAE1385EF073D32F6425FECE402DFA73A8F32AFD0F174010AD650A6980712D95C4E211FC99B2721E53B37347049E22FA1113821B4D278FFEFA266055DC107CA0FBAFEF9CCF494943FF1AC4F9474FD8FCF550709B2579D4F393471988DFCB1D1890A635EB23AF2A18A94B3201F5126FAA8A42C1904D17194B0D4C08EBFC8EC44F61D5371C77FDD04E0CF50F62BECA339379C4CA62829131B83274F5A7C74C8291603296E772E53FDD38FA23AD10437AF40C3AB26706430252D');
INSERT INTO "small_objects" VALUES('0fuwjh64hzseaxm4vft7kcgvjit3eao7r',X'2680D0030CE09C96E919153D1D4EB22043882838670F93F0B6887464AA173F11354F9F1B6435E787BE3E71B342C9EC4B7A699D4676A2DA089F8E89BCCC8D24FEA850483779381112A5B18F5355962B3AB87F71284741E004F52C481D35CA5F02683E1723F3692F3BD51E8E8BF87F90F4F67E069747517481FBD764217D2B0A6155DBDA74330F653FBE1D77DFE0093FE82D49A0FC615DBC2D0F6D4557F1895AD1B7B8F2BFBE3DC568EE3B9AF1B5AC60C97A8BBE9E6A282F266AA7C6989981861266F12BD4DF55CDA15BFB751D0515F4F2FAD3B2200BD16C0BBEE0988E5BA7BC9F888EB397F4EBDC8955E293CD4881DC85DC4137CB10F62C6C47A1BE9B151FB43614737FAA29CF92691D35CFEC2033B04B329B456615F7EB7E5C6C8BF20CED49DC6AED81AFFBFD8115A54241A7');
INSERT INTO "small_objects" VALUES('0r3kgld6iakooe43r7v5f5bjxolyqq56a',X'DB453947B451A6C6920235BCD6F4A33CB2A6C6E3D4F29544DEA9296AB74437B908D484A5B288DE80C406A4E62A8D2B7B9AD29E5F79C90C051F67FA26ACFC8169B202451DBA02FDE650384A83B6B61B8894C217268248DBA719CB6F2944371B197F26DD09C19B3A84571B4B2D6F83B9779903CEBFF84C90010C6BA62B21D480675A8946DE0B866127B283B16A859D7C05F10F0FB1912D5018F2DE34605827660515624485FA8929EE2344486F93021804FBBF9A8E033BBA03E7E7EB3A8D7A4AEE0B6DC6869ACDC5517E788D8924E0FC5ACAF648D76830B2390385888EC9EEEAD8B78477A6B476A9C4F86FFAD92A6366E7F73341277E363E07034E7FBCF7C4E503');
CREATE TABLE storage_objects (
	"key" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	due INTEGER NOT NULL, 
	CONSTRAINT pk_storage_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "storage_objects" VALUES('nycwu7eoxwdrudgpq5r2ghpfnlv4pjlb','live',0);
INSERT INTO "storage_objects" VALUES('6mm6ecrnss3ps5ohajkxfxtzuq2f6wi3','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('um7kyparweyb5bxsnkucuckma6tos3hm','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('mmuyl7wofqytmw7pchenvupo647bi3xh','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('wq5wjnbw6yqejtczpazcdut64wglptmn','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('g5nkvohdm7jqtc6ud4fwqolzjhab2six','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('x6ftyikirqktxe6ogbuyquwo62nt4nzb','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('ori5wsnmo7xuuoijsieetwgedak4j5yj','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('aqxyk5izlotsrcta7gawjucnkxc2v5wg','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('3plvajejh32bdketbxileoqcjot2eu7t','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('rzlxj3nxhaah54pekxximtpknohrifou','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('slevx3btjc7olpbms4llnq4fxo3btrpy','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('lvyqtw4emkacsjrazpnr27unnxju3ilh','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('vagm3kfxse57qelbfmt4bx2thwhqctci','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('7fwatnohxdhmdz2nt5qdhkvinxv2kgcd','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('zlrccdcxlyr37keod4fkdnuipcye24of','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('wtxdgbigvokaruozc5b4wwhensrhoq3n','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('6x7jv3nwzvmavevo6gsoagtu4xpziav7','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('ivxposwwqgpli4227pshut7j22fn25jt','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('f6o4eryw3ketmp2vc4mdfxfu4kvepp5j','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('5xpuz7db6umbddojhildfplzbrswyh3y','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('2taqyytmtsa2k55j5se3nvgqx624esuj','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('cxy5in74kvfymfsvzuvyvddqgwm2ogoc','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('5aca3ssjoa77eplpib34fnozz4ydj4v3','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('w34mfpnknmvc3cuddvydl2a7hriudtcc','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('f2n6fjdnxjav4mldcra5jrdwmodu5ddc','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('x4awd6hm2fgxckvd4f4qtuqw6yroc4nc','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('vhisjoelnh7j5vbiwcn7uergdncpasm6','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('3ssdkcql2ugrsxlpln3u5aklvma4lbtp','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('65a3565e43xmiuzzxxxfbrgvf2v4gnrj','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('swzf5evyoovjnuq6ulrx2ncmmwbaujvs','writing',1795971145208004);
INSERT INTO "storage_objects" VALUES('uybb7vaf2aasznb3es2hjfcxpfadxqif','writing',1795971145208004);
CREATE TABLE tag_history (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	repository_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	previous_digest TEXT, 
	valid_from INTEGER NOT NULL, 
	valid_to INTEGER, 
	moved_by TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	ended_by TEXT, 
	CONSTRAINT fk_tag_history_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "tag_history" VALUES(1,1,'large','sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316',NULL,1795956745242618,NULL,'arn:aws:iam::000000000000:root','push',NULL);
INSERT INTO "tag_history" VALUES(2,1,'small','sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e',NULL,1795956745286044,NULL,'arn:aws:iam::000000000000:root','push',NULL);
CREATE TABLE tags (
	repository_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	manifest_id INTEGER NOT NULL, 
	tagged_at INTEGER NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (repository_id, name), 
	CONSTRAINT fk_tags_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id), 
	CONSTRAINT fk_tags_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "tags" VALUES(1,'large',1,1795956745242618);
INSERT INTO "tags" VALUES(1,'small',2,1795956745286044);
CREATE TABLE upload_segments (
	upload_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	start INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	storage_key TEXT NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_upload_segments PRIMARY KEY (upload_id, position), 
	CONSTRAINT fk_upload_segments_upload_id FOREIGN KEY(upload_id) REFERENCES uploads (id), 
	CONSTRAINT uq_upload_segments_upload_id_start UNIQUE (upload_id, start)
)
 STRICT

;
CREATE TABLE uploads (
	id TEXT NOT NULL, 
	repository_id INTEGER NOT NULL, 
	principal_id TEXT NOT NULL, 
	algorithm TEXT NOT NULL, 
	size_received INTEGER NOT NULL, 
	segments INTEGER NOT NULL, 
	smallest_inner_part INTEGER, 
	last_part INTEGER, 
	prefix_digest TEXT, 
	epoch INTEGER NOT NULL, 
	lease_until INTEGER NOT NULL, 
	expires_at INTEGER NOT NULL, 
	CONSTRAINT pk_uploads PRIMARY KEY (id), 
	CONSTRAINT fk_uploads_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
CREATE INDEX ix_storage_objects_due ON storage_objects (due) WHERE state <> 'live';
CREATE INDEX ix_access_keys_account_id ON access_keys (account_id);
CREATE INDEX ix_repositories_deleted ON repositories (state) WHERE state <> 'live';
CREATE UNIQUE INDEX uq_repositories_live ON repositories (registry, name) WHERE state = 'live';
CREATE INDEX ix_manifests_repository_id_pushed_at_digest ON manifests (repository_id, pushed_at, digest);
CREATE INDEX ix_manifests_subject ON manifests (repository_id, subject_digest, id) WHERE subject_digest IS NOT NULL;
CREATE INDEX ix_repository_blobs_blob_id ON repository_blobs (blob_id);
CREATE INDEX ix_repository_blobs_check_after ON repository_blobs (check_after) WHERE check_after IS NOT NULL;
CREATE INDEX ix_tag_history_repository_id_name_valid_from ON tag_history (repository_id, name, valid_from);
CREATE UNIQUE INDEX uq_tag_history_current ON tag_history (repository_id, name) WHERE valid_to IS NULL;
CREATE INDEX ix_uploads_expires_at ON uploads (expires_at);
CREATE INDEX ix_uploads_repository_id ON uploads (repository_id);
CREATE INDEX ix_manifest_blobs_repository_id_digest ON manifest_blobs (repository_id, digest);
CREATE INDEX ix_manifest_children_repository_id_digest ON manifest_children (repository_id, digest);
CREATE INDEX ix_tags_manifest_id ON tags (manifest_id);
CREATE UNIQUE INDEX uq_accounts_alias ON accounts (alias);
CREATE INDEX ix_access_keys_principal_id ON access_keys (principal_id);
CREATE INDEX ix_group_members_user_id ON group_members (user_id);
CREATE INDEX ix_attachments_policy_arn ON attachments (policy_arn);
CREATE INDEX ix_instance_profiles_role_id ON instance_profiles (role_id);
CREATE INDEX ix_identity_providers_account_id ON identity_providers (account_id);
CREATE INDEX ix_mfa_devices_account_id ON mfa_devices (account_id);
CREATE INDEX ix_mfa_devices_user_id ON mfa_devices (user_id);
CREATE INDEX ix_account_requests_requested_at_id ON account_requests (requested_at, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('registries',1);
INSERT INTO "sqlite_sequence" VALUES('seals',1);
INSERT INTO "sqlite_sequence" VALUES('blobs',4);
INSERT INTO "sqlite_sequence" VALUES('repositories',2);
INSERT INTO "sqlite_sequence" VALUES('manifests',2);
INSERT INTO "sqlite_sequence" VALUES('tag_history',2);
COMMIT;
