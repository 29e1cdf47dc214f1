/* SPDX-License-Identifier: Apache-2.0 */
#include <keyturn/keyturn.h>

static const struct kt_api api = {
    .version = KT_API_VERSION,
    .size = sizeof(struct kt_api),
    .open = kt_open,
    .close = kt_close,
    .cancel = kt_cancel,
    .secret_new = kt_secret_new,
    .secret_free = kt_secret_free,
    .secret_data = kt_secret_data,
    .secret_len = kt_secret_len,
    .secret_info = kt_secret_info,
    .secret_live = kt_secret_live,
    .get = kt_get,
    .get_into = kt_get_into,
    .get_many = kt_get_many,
    .list = kt_list,
    .versions = kt_versions,
    .list_count = kt_list_count,
    .list_item = kt_list_item,
    .list_lines = kt_list_lines,
    .list_free = kt_list_free,
    .put = kt_put,
    .stage = kt_stage,
    .delete_ = kt_delete,
    .restore = kt_restore,
    .repair = kt_repair,
    .report = kt_report,
    .watch_open = kt_watch_open,
    .watch_fd = kt_watch_fd,
    .watch_read = kt_watch_read,
    .watch_free = kt_watch_free,
    .trace = kt_trace,
    .check = kt_check,
    .modules = kt_modules,
    .module_run = kt_module_run,
    .status_name = kt_status_name,
    .status_meaning = kt_status_meaning,
    .status_exit = kt_status_exit,
    .status_tell = kt_status_tell,
    .name_check = kt_name_check,
    .id_new = kt_id_new,
    .list_each = kt_list_each,
    .authority = kt_authority,
    .line_run = kt_line_run,
};

const struct kt_api *kt_api_get(uint32_t version)
{
    return version == KT_API_VERSION ? &api : NULL;
}
